//! The 348 bytes of a NIfTI-1 header, and the affine that they give.

use crate::ImagingError;
use crate::error::At;
use crate::files::Endian;
use crate::geometry::Affine;
use crate::limits::{FILE_BYTES_MAX, VOXELS_MAX};

/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 348;

/// What a stored number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Datatype {
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Datatype {
    /// The format's codes.
    fn of(code: i16) -> Option<Datatype> {
        Some(match code {
            2 => Datatype::U8,
            4 => Datatype::I16,
            8 => Datatype::I32,
            16 => Datatype::F32,
            64 => Datatype::F64,
            256 => Datatype::I8,
            512 => Datatype::U16,
            768 => Datatype::U32,
            1024 => Datatype::I64,
            1280 => Datatype::U64,
            _ => return None,
        })
    }

    pub(crate) fn bytes(self) -> usize {
        match self {
            Datatype::U8 | Datatype::I8 => 1,
            Datatype::I16 | Datatype::U16 => 2,
            Datatype::I32 | Datatype::U32 | Datatype::F32 => 4,
            Datatype::I64 | Datatype::U64 | Datatype::F64 => 8,
        }
    }
}

/// The fields that place the grid, as they stood in the file, so that a mask is placed by the very same numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GridFields {
    /// Handedness of the qform, then the spacings.
    pub(crate) pixdim: [f32; 4],
    pub(crate) xyzt_units: u8,
    pub(crate) qform_code: i16,
    pub(crate) sform_code: i16,
    /// Quaternion b, c, d, then offsets x, y, z.
    pub(crate) qform: [f32; 6],
    pub(crate) srow: [f32; 12],
}

impl GridFields {
    /// Whether the file says how the patient lies.
    pub(crate) fn is_oriented(&self) -> bool {
        self.qform_code > 0 || self.sform_code > 0
    }

    /// An sform in scanner coordinates, and a qform beside it; what DICOM gives.
    pub(crate) fn from_affine(affine: &Affine) -> GridFields {
        let [x, y, z] = affine.spacing_mm().map(|s| s as f32);
        let mut srow = [0.0; 12];
        for (to, from) in srow.iter_mut().zip(affine.0.iter().flatten()) {
            *to = *from as f32;
        }
        let bare = GridFields {
            pixdim: [1.0, x, y, z],
            xyzt_units: 2,
            qform_code: 0,
            sform_code: 1,
            qform: [0.0; 6],
            srow,
        };
        bare.with_qform(affine)
    }

    /// The affine: the sform when there is one, else the qform, else spacings alone (methods 3, 2 and 1 of `nifti1.h`).
    pub(crate) fn affine(&self) -> Affine {
        if self.sform_code > 0 {
            let s = self.srow.map(f64::from);
            return Affine([[s[0], s[1], s[2], s[3]], [s[4], s[5], s[6], s[7]], [s[8], s[9], s[10], s[11]]]);
        }
        let spacing = [1, 2, 3].map(|i| f64::from(self.pixdim[i]).abs());
        if self.qform_code > 0 {
            return self.qform_affine(spacing);
        }
        Affine::from_spacing_mm(spacing.map(|s| if s > 0.0 { s } else { 1.0 }))
    }
}

/// What a reader must know of a header; every field is checked.
pub(crate) struct Header {
    pub(crate) endian: Endian,
    pub(crate) size: [usize; 3],
    pub(crate) datatype: Datatype,
    pub(crate) voxels_start: usize,
    /// Slope and intercept, when they do anything.
    pub(crate) scaling: Option<(f64, f64)>,
    pub(crate) affine: Affine,
    pub(crate) grid: GridFields,
}

impl Header {
    pub(crate) fn parse(bytes: &[u8], at: &At) -> Result<Header, ImagingError> {
        let Some(bytes) = bytes.get(..HEADER_BYTES) else {
            return Err(at.damaged(format!(
                "a NIfTI header takes {HEADER_BYTES} bytes, only {} are there",
                bytes.len()
            )));
        };
        let endian = byte_order(bytes, at)?;
        check_magic(bytes, at)?;
        let fields = Fields { bytes, endian };

        let size = size(&fields, at)?;
        let datatype = datatype(&fields, at)?;
        let voxels_start = voxels_start(&fields, at)?;
        let scaling = scaling(&fields, at)?;
        let grid = fields.grid();
        let affine = grid.affine();
        if !affine.is_regular() {
            return Err(at.damaged("the affine of its header places no voxels (a number that is not finite, or an axis of length zero)"));
        }
        let header = Header { endian, size, datatype, voxels_start, scaling, affine, grid };
        at.at_most("its bytes", header.bytes_needed(), FILE_BYTES_MAX)?;
        Ok(header)
    }

    pub(crate) fn voxel_count(&self) -> usize {
        self.size.iter().product()
    }

    /// How long the file must be; cannot overflow, for the voxel count is capped.
    pub(crate) fn bytes_needed(&self) -> u64 {
        self.voxels_start as u64 + self.voxel_count() as u64 * self.datatype.bytes() as u64
    }
}

/// Numbers at fixed offsets of a header whose length was checked.
struct Fields<'a> {
    bytes: &'a [u8],
    endian: Endian,
}

impl Fields<'_> {
    fn i16(&self, offset: usize) -> i16 {
        i16::from_le_bytes(self.raw(offset))
    }

    fn f32(&self, offset: usize) -> f32 {
        f32::from_le_bytes(self.raw(offset))
    }

    fn f32s<const N: usize>(&self, offset: usize) -> [f32; N] {
        std::array::from_fn(|i| self.f32(offset + 4 * i))
    }

    fn raw<const N: usize>(&self, offset: usize) -> [u8; N] {
        self.endian.bytes(self.bytes, offset).expect("fields lie within the header")
    }

    fn grid(&self) -> GridFields {
        GridFields {
            pixdim: self.f32s(76),
            xyzt_units: self.bytes[123],
            qform_code: self.i16(252),
            sform_code: self.i16(254),
            qform: self.f32s(256),
            srow: self.f32s(280),
        }
    }
}

fn byte_order(bytes: &[u8], at: &At) -> Result<Endian, ImagingError> {
    match (Endian::Little.u32(bytes, 0), Endian::Big.u32(bytes, 0)) {
        (Some(348), _) => Ok(Endian::Little),
        (_, Some(348)) => Ok(Endian::Big),
        (Some(540), _) | (_, Some(540)) => {
            Err(at.unsupported("it is a NIfTI-2 file", "convert it to NIfTI-1"))
        }
        _ => Err(at.damaged("its first number is not 348, the length of a NIfTI header")),
    }
}

fn check_magic(bytes: &[u8], at: &At) -> Result<(), ImagingError> {
    match &bytes[344..348] {
        b"n+1\0" => Ok(()),
        b"ni1\0" => {
            Err(at.unsupported("it is the header of a .hdr/.img pair", "convert the pair to one .nii file"))
        }
        _ => Err(at.damaged("the mark \"n+1\" at byte 344 is missing: it is no NIfTI-1 file")),
    }
}

fn size(fields: &Fields, at: &At) -> Result<[usize; 3], ImagingError> {
    let axes = fields.i16(40);
    if !(1..=7).contains(&axes) {
        return Err(at.damaged(format!("its header declares {axes} axes, expected 1 to 7")));
    }
    let extents: Vec<i16> = (1..=axes as usize).map(|axis| fields.i16(40 + 2 * axis)).collect();
    if let Some(extent) = extents.iter().find(|&&extent| extent < 1) {
        return Err(at.damaged(format!("its header declares an axis of {extent} voxels")));
    }
    if extents.iter().skip(3).any(|&extent| extent > 1) {
        return Err(at.unsupported(
            "it holds several volumes (a time series or several channels)",
            "save the one volume that is meant as a file of its own",
        ));
    }
    let size = [0, 1, 2].map(|axis| extents.get(axis).map_or(1, |&extent| extent as usize));
    at.at_most("its voxels", size.iter().map(|&n| n as u64).product(), VOXELS_MAX)?;
    Ok(size)
}

fn datatype(fields: &Fields, at: &At) -> Result<Datatype, ImagingError> {
    let (code, bits) = (fields.i16(70), fields.i16(72));
    let Some(datatype) = Datatype::of(code) else {
        return Err(at.unsupported(
            format!("its voxels have the NIfTI datatype {code} (colour, complex or another that holds no single grey value)"),
            "convert it to a grey image of 8 or 16 bits or of floats",
        ));
    };
    if bits != 0 && bits as usize != 8 * datatype.bytes() {
        return Err(at.damaged(format!(
            "its header declares {bits} bits per voxel, but the datatype {code} has {}",
            8 * datatype.bytes()
        )));
    }
    Ok(datatype)
}

fn voxels_start(fields: &Fields, at: &At) -> Result<usize, ImagingError> {
    let offset = fields.f32(108);
    // 0 is written by some tools and means "right behind the header and its extension flag".
    if offset == 0.0 {
        return Ok(352);
    }
    if !(offset.fract() == 0.0 && (348.0..=FILE_BYTES_MAX as f32).contains(&offset)) {
        return Err(at.damaged("the place where its voxels begin (vox_offset) is no place behind the header"));
    }
    Ok(offset as usize)
}

fn scaling(fields: &Fields, at: &At) -> Result<Option<(f64, f64)>, ImagingError> {
    let (slope, inter) = (fields.f32(112), fields.f32(116));
    // A slope of 0, or one that is no number (as nibabel writes), says that there is no scaling.
    if slope == 0.0 || slope.is_nan() {
        return Ok(None);
    }
    let inter = if inter.is_nan() { 0.0 } else { inter };
    if !slope.is_finite() || !inter.is_finite() {
        return Err(at.damaged("its scaling (scl_slope, scl_inter) is infinite"));
    }
    if slope == 1.0 && inter == 0.0 {
        return Ok(None);
    }
    Ok(Some((slope.into(), inter.into())))
}
