"""Reads a model with trimesh, measures it, and prints the seconds, the memory in MiB that it took, and the volume."""

import sys
import time

# All that trimesh would import later, while it is timed.
import lxml.etree
import networkx
import numpy
import trimesh


def memory(field):
    """What this process has (VmRSS) or had at most (VmHWM), in MiB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024


path = sys.argv[1]
before, began = memory("VmRSS"), time.perf_counter()
mesh = trimesh.load_mesh(path)
volume, closed = mesh.volume, mesh.is_watertight
seconds, most = time.perf_counter() - began, memory("VmHWM")
if not closed:
    sys.exit("trimesh finds the surface open")
print(seconds, most - before, volume)
