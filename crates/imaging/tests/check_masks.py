"""Checks with nibabel that masks lie on their scans' own grid.

`check_masks.py make DIR` writes small scans, the same one in several orientations and codings;
`check_masks.py check DIR` compares every mask* with its scan*: shape, affine, codes, orientation, and labels = (scan > 500);
of a sheared grid also that ITK opens it, where SimpleITK is there.
"""

import pathlib
import sys

import nibabel as nib
import numpy as np


def make(folder):
    rng = np.random.default_rng(7)
    values = rng.integers(-1000, 2000, size=(5, 6, 7)).astype(np.int16)
    angle = 0.2
    affine = np.array(
        [
            [-0.8 * np.cos(angle), 0.8 * np.sin(angle), 0, 91.5],
            [-0.8 * np.sin(angle), -0.8 * np.cos(angle), 0, 80.25],
            [0, 0, 2.5, -310],
            [0, 0, 0, 1],
        ]
    )
    base = nib.Nifti1Image(values, affine)
    for codes in ("LPS", "RAS", "PIR", "SRA", "ALI"):
        ornt = nib.orientations.ornt_transform(
            nib.io_orientation(base.affine), nib.orientations.axcodes2ornt(codes)
        )
        nib.save(base.as_reoriented(ornt), folder / f"scan_{codes}.nii.gz")
    big = nib.Nifti1Image(values, affine, nib.Nifti1Header(endianness=">"))
    nib.save(big, folder / "scan_big.nii")
    qform = nib.Nifti1Image(values, None)
    qform.set_qform(affine, code=1)
    nib.save(qform, folder / "scan_qform.nii.gz")
    bare = nib.Nifti1Image(values, None)
    bare.header.set_zooms((0.5, 0.6, 0.7))
    nib.save(bare, folder / "scan_bare.nii.gz")
    tilted = affine.copy()
    tilted[:3, 2] += [0, 0.6, 0]
    nib.save(nib.Nifti1Image(values, tilted), folder / "scan_sheared.nii.gz")


def check_sheared(path, mask):
    """A qform of row, column and their normal stands beside the sheared sform; ITK, which opens no sheared grid, takes it."""
    qform, code = mask.get_qform(coded=True)
    assert code > 0, path
    assert np.allclose(qform[:3, [0, 1, 3]], mask.affine[:3, [0, 1, 3]], atol=1e-4), qform
    assert np.allclose(qform[:3, :2].T @ qform[:3, 2], 0, atol=1e-4), qform
    try:
        import SimpleITK
    except ImportError:
        return
    opened = SimpleITK.ReadImage(str(path))
    assert np.allclose(opened.GetOrigin(), mask.affine[:3, 3] * [-1, -1, 1], atol=1e-3), opened.GetOrigin()


def check(folder):
    scans = sorted(folder.glob("scan*"))
    assert len(scans) >= 8, scans
    for path in scans:
        scan, mask = nib.load(path), nib.load(folder / path.name.replace("scan", "mask"))
        assert mask.shape == scan.shape, path
        assert np.array_equal(mask.affine, scan.affine), (path, mask.affine, scan.affine)
        assert nib.aff2axcodes(mask.affine) == nib.aff2axcodes(scan.affine), path
        if "sheared" in path.name:
            check_sheared(folder / path.name.replace("scan", "mask"), mask)
        else:
            assert int(mask.header["qform_code"]) == int(scan.header["qform_code"]), path
        assert int(mask.header["sform_code"]) == int(scan.header["sform_code"]), path
        assert int(mask.header["intent_code"]) == 1002, path
        assert mask.get_data_dtype() == np.uint8, path
        assert np.array_equal(np.asanyarray(mask.dataobj), np.asanyarray(scan.dataobj) > 500), path


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](pathlib.Path(sys.argv[2]))
