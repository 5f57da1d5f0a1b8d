// A shared library without the entry of plait.
extern "C" int plait_empty() { return 0; }
