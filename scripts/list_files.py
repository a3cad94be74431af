"""Prints the file names of a FileDescriptorSet, imports first."""

import pathlib
import sys

from google.protobuf import descriptor_pb2

data = pathlib.Path(sys.argv[1]).read_bytes()
for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
    print(file.name)
