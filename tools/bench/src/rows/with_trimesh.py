"""Reads a model with trimesh, measures it, and prints the seconds, the memory in MiB that it took, and the volume."""

import sys
import time

# trimesh would import these later, within the measured time.
import lxml.etree
import networkx
import numpy
import trimesh


def memory(field):
    """The memory of this process, now (VmRSS) or at its peak (VmHWM), in MiB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024


path = sys.argv[1]
before, began = memory("VmRSS"), time.perf_counter()
mesh = trimesh.load_mesh(path)
volume, closed = mesh.volume, mesh.is_watertight
seconds, peak = time.perf_counter() - began, memory("VmHWM")
if not closed:
    sys.exit("trimesh finds the surface open")
print(seconds, peak - before, volume)
