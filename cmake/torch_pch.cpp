// The one source of plait_torch_pch, the library whose precompiled header the others use.
