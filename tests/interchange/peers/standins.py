"""Lets torch's CUDA wheel and flash-linear-attention load on a machine without a GPU. Run once with the environment's Python.

torch's wheel links to NVIDIA libraries that are never called on a CPU. Empty ones with the right names, symbols and
symbol versions take their place (an object without its symbol versions stops the loader). The CUDA runtime stays the
real one: transformers asks it whether a stream is being captured. triton gets an import-only package: without triton,
`import fla` succeeds and registers nothing.
"""
import pathlib
import re
import subprocess
import sysconfig
import tempfile

SITE = pathlib.Path(sysconfig.get_paths()["purelib"])
TORCH = SITE / "torch" / "lib"
# Longer names first: cublasLt before cublas.
LIBRARIES = ["cublasLt", "cublas", "cudnn", "cufft", "cufile", "cupti", "curand", "cusparseLt", "cusparse", "nccl", "nvshmem"]
USERS = ["torch_cuda", "torch_cpu", "torch_python", "torch_nvshmem", "c10_cuda"]

TRITON = '''"""Import-only stand-in: decorators keep the function, launching a kernel raises."""
import importlib.abc
import importlib.machinery
import inspect
import sys
import types

__version__ = "3.6.0"


class _Anything:
    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return JITFunction(args[0]) if len(args) == 1 and inspect.isfunction(args[0]) else self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()

    def __getitem__(self, key):
        return self

    def __iter__(self):
        return iter(())


class _Module(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Anything,), {}) if name[:1].isupper() else _Anything()


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.startswith("triton.") else None

    def create_module(self, spec):
        return _Module(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, _Finder())


class JITFunction:
    def __init__(self, function):
        self.fn = function
        self.__name__ = function.__name__
        self.arg_names = list(inspect.signature(function).parameters)

    def __getitem__(self, grid):
        raise RuntimeError("triton stand-in: kernels cannot run here")


def jit(function=None, **options):
    return JITFunction if function is None else JITFunction(function)


def autotune(configs=None, key=None, **options):
    return lambda function: function


def heuristics(values=None):
    return lambda function: function


def cdiv(a, b):
    return -(-a // b)


def next_power_of_2(n):
    return 1 << max(0, n - 1).bit_length()


def set_allocator(allocator):
    pass


class Config:
    def __init__(self, kwargs=None, **options):
        self.kwargs = kwargs or {}


class _NoDriver:
    def __getattr__(self, name):
        raise RuntimeError("0 active drivers")


import triton.language as language  # noqa: E402
import triton.runtime as runtime  # noqa: E402

runtime.driver = types.SimpleNamespace(active=_NoDriver())
sys.modules["triton.runtime.driver"] = runtime.driver
'''


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def library_of(name):
    return next((library for library in LIBRARIES if name.lower().startswith(library.lower())), None)


def nvidia_libraries():
    """By library: its file name, and the symbols that torch expects there by symbol version."""
    files, wanted, defined = {}, {}, set()
    for user in USERS:
        path = str(TORCH / f"lib{user}.so")
        for needed in re.findall(r"NEEDED.*\[lib(.*)\]", run("readelf", "-d", path)):
            if library_of(needed):
                files[library_of(needed)] = "lib" + needed
        for line in run("nm", "-D", "--defined-only", path).splitlines():
            defined.add(line.split()[-1].split("@")[0])
        for line in run("nm", "-D", "--undefined-only", path).splitlines():
            symbol, _, version = line.split()[-1].partition("@")
            wanted[symbol] = version.strip("@")
    symbols = {library: {} for library in files}
    for symbol, version in sorted(wanted.items()):
        if symbol not in defined and library_of(symbol) in symbols:
            symbols[library_of(symbol)].setdefault(version, []).append(symbol)
    return [(files[library], symbols[library]) for library in files]


def make_library(file, symbols_by_version):
    with tempfile.TemporaryDirectory() as folder:
        source, versions = pathlib.Path(folder, "stub.c"), pathlib.Path(folder, "versions")
        symbols = [symbol for group in symbols_by_version.values() for symbol in group]
        source.write_text("".join(f"int {symbol}(void) {{ return 100; }}\n" for symbol in symbols) + "int plait_stand_in;\n")
        versions.write_text("".join(f"{version} {{ global: {'; '.join(group)}; }};\n"
                                    for version, group in symbols_by_version.items() if version))
        command = ["gcc", "-shared", "-fPIC", "-w", "-fno-builtin", "-s", f"-Wl,-soname,{file}", "-o", str(TORCH / file)]
        if versions.stat().st_size:
            command.append(f"-Wl,--version-script={versions}")
        subprocess.run(command + [str(source)], check=True)


for name, symbols_of in nvidia_libraries():
    make_library(name, symbols_of)
(SITE / "triton").mkdir(exist_ok=True)
(SITE / "triton" / "__init__.py").write_text(TRITON)
