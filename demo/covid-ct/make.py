"""Cuts the demo's scan, expert mask and calibration slices from the COVID-19 CT set.

Usage: python make.py SET_FOLDER OUT_FOLDER   (needs numpy and nibabel)

SET_FOLDER holds `coronacases_008_image_128.nii.gz` and the like. Every cut keeps the smallest and the largest
grey value of its whole volume, so that scaling by the volume's own minimum and maximum gives the same numbers.
"""

import gzip
import sys
from pathlib import Path

import nibabel
import numpy

CUTS = [
    # source, first slice, one past the last, result
    ("coronacases_008_image_128", 125, 217, "scan"),
    ("coronacases_008_infection_128", 125, 217, "expert"),
    ("coronacases_002_image_128", 88, 148, "calibration"),
]

# The slices of this set run to the patient's left, to the back and to the head; the spacing was lost in the source.
AFFINE = numpy.diag([-1.0, -1.0, 1.0, 1.0])


def cut(source, first, end, result):
    voxels = numpy.asarray(nibabel.load(source).dataobj)
    part = numpy.ascontiguousarray(voxels[:, :, first:end])
    if (part.min(), part.max()) != (voxels.min(), voxels.max()):
        sys.exit(f"{source.name}: slices {first} to {end - 1} do not hold the volume's least and greatest value")
    image = nibabel.Nifti1Image(part, AFFINE, dtype=numpy.uint8)
    image.set_data_dtype(numpy.uint8)
    # No time stamp in the archive, so that the same input gives the same bytes.
    with open(result, "wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as file:
        file.write(image.to_bytes())
    print(f"{result.name}: {part.shape}, {part.min()} to {part.max()}, {result.stat().st_size} bytes")


def main():
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    for name, first, end, result in CUTS:
        cut(source / f"{name}.nii.gz", first, end, target / f"{result}.nii.gz")


main()
