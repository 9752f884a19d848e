//! How much a file may ask of this machine; checked before anything is allocated.

/// No file, decompressed or not, may hold more bytes.
pub const FILE_BYTES_MAX: u64 = 2 << 30;

/// No scan may hold more voxels: 2 GiB as 32-bit floats.
pub const VOXELS_MAX: u64 = FILE_BYTES_MAX / 4;

/// Deflate cannot make more than this many bytes of one (a run of 258 bytes takes two bits): a file that declares
/// more is lying, and is refused before it is inflated. Empty masks come close to this honestly.
pub const INFLATION_MAX: u64 = 1032;

/// A picture may not be wider or higher.
pub const PICTURE_SIDE_MAX: u32 = 1 << 15;

/// A picture may not hold more pixels.
pub const PICTURE_PIXELS_MAX: u64 = 1 << 27;

/// A DICOM folder may not hold more files.
pub const SERIES_FILES_MAX: usize = 20_000;

/// Folders may not lie deeper within the one that is opened.
pub const FOLDER_DEPTH_MAX: usize = 16;

/// A DICOM file may not hold more data elements, nested ones included.
pub const DICOM_ELEMENTS_MAX: usize = 1_000_000;

/// A DICOM file or series may not hold more frames.
pub const DICOM_FRAMES_MAX: u64 = 100_000;

/// Run lengths (PackBits) cannot make more than this many bytes of one: 128 of two.
pub const RUN_LENGTHS_MAX: u64 = 64;

/// JPEG cannot make more than this many pixels of one byte: each block of 8 x 8 takes a bit at least.
pub const JPEG_PIXELS_MAX: u64 = 512;

/// The same for lossless JPEG: each pixel takes a bit at least.
pub const LOSSLESS_JPEG_PIXELS_MAX: u64 = 8;

/// DICOM sequences may not be nested deeper.
pub const DICOM_DEPTH_MAX: usize = 16;
