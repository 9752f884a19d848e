//! Writes the seeds of the target `dicom` anew: small files in each coding that is read, and two series.
//!
//! `cargo run --manifest-path fuzz/Cargo.toml --example dicom_seeds`, in the repository's root.

use std::fs;
use std::io;
use std::path::Path;

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
const RUN_LENGTHS: &str = "1.2.840.10008.1.2.5";
const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";
const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/dicom");
    fs::create_dir_all(&folder)?;
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.join(name), bytes);
    let alone = |file: Vec<u8>| [vec![0], file].concat();

    for (name, coding) in [("explicit", EXPLICIT), ("implicit", IMPLICIT), ("big-endian", BIG_ENDIAN)] {
        write(name, alone(file(coding, &slice(0.0, 16), Pixels::Native(words(coding)))))?;
    }
    write("deflated", alone(file(DEFLATED, &slice(0.0, 16), Pixels::Native(words(DEFLATED)))))?;
    write("run-lengths", alone(file(RUN_LENGTHS, &slice(0.0, 16), Pixels::Coded(vec![run_lengths()]))))?;
    write("jpeg", alone(file(JPEG_BASELINE, &slice(0.0, 8), Pixels::Coded(vec![jpeg(0xc0, 0, &[0x3f])]))))?;
    let lossless = jpeg(0xc3, 1, &[0; 8]);
    write("jpeg-lossless", alone(file(JPEG_LOSSLESS, &slice(0.0, 8), Pixels::Coded(vec![lossless]))))?;
    write("frames", alone(file(EXPLICIT, &frames(), Pixels::Native(words(EXPLICIT).repeat(2)))))?;
    write("x-ray", alone(file(EXPLICIT, &x_ray(), Pixels::Native(words(EXPLICIT)))))?;
    write("series", series(&[4.0, 0.0, 2.0]))?;
    write("two-slices", series(&[1.0, 2.5]))
}

/// One element: tag, value representation, value.
struct Element(u16, u16, &'static str, Vec<u8>);

enum Pixels {
    Native(Vec<u8>),
    Coded(Vec<Vec<u8>>),
}

fn text(group: u16, element: u16, vr: &'static str, value: &str) -> Element {
    let padding = if value.len() % 2 == 0 { "" } else { " " };
    Element(group, element, vr, format!("{value}{padding}").into_bytes())
}

fn number(group: u16, element: u16, value: u16) -> Element {
    Element(group, element, "US", value.to_le_bytes().to_vec())
}

/// A CT slice of 8 x 8 pixels.
fn slice(z: f64, bits: u16) -> Vec<Element> {
    vec![
        text(0x0008, 0x0016, "UI", "1.2.840.10008.5.1.4.1.1.2"),
        text(0x0008, 0x0018, "UI", &format!("1.2.3.{}", 10.0 * z)),
        text(0x0008, 0x0060, "CS", "CT"),
        text(0x0010, 0x0010, "PN", "A^B"),
        text(0x0010, 0x0020, "LO", "P"),
        text(0x0018, 0x0050, "DS", "2"),
        text(0x0020, 0x000e, "UI", "1.2.3"),
        text(0x0020, 0x0013, "IS", "1"),
        text(0x0020, 0x0032, "DS", &format!("-10\\-20\\{z}")),
        text(0x0020, 0x0037, "DS", "1\\0\\0\\0\\1\\0"),
        text(0x0020, 0x0052, "UI", "1.2.4"),
        number(0x0028, 0x0002, 1),
        text(0x0028, 0x0004, "CS", "MONOCHROME2"),
        number(0x0028, 0x0010, 8),
        number(0x0028, 0x0011, 8),
        text(0x0028, 0x0030, "DS", "0.5\\0.5"),
        number(0x0028, 0x0100, bits),
        number(0x0028, 0x0101, bits),
        number(0x0028, 0x0102, bits - 1),
        number(0x0028, 0x0103, 0),
        text(0x0028, 0x1052, "DS", "-1000"),
        text(0x0028, 0x1053, "DS", "1"),
    ]
}

/// Two frames, of which each says where it lies.
fn frames() -> Vec<Element> {
    let place = |z: u8| {
        let position = encoded(&text(0x0020, 0x0032, "DS", &format!("0\\0\\{z}")), EXPLICIT);
        let plane = encoded(&Element(0x0020, 0x9113, "SQ", item(&position)), EXPLICIT);
        item(&plane)
    };
    let mut elements = slice(0.0, 16);
    elements.retain(|element| (element.0, element.1) != (0x0020, 0x0032));
    elements.push(text(0x0028, 0x0008, "IS", "2"));
    elements.push(Element(0x5200, 0x9230, "SQ", [place(3), place(1)].concat()));
    elements
}

/// A projection image that counts from white, with padding and a window.
fn x_ray() -> Vec<Element> {
    let mut elements = slice(0.0, 16);
    elements.retain(|element| ![0x0060, 0x0004, 0x1052, 0x1053].contains(&element.1));
    elements.push(text(0x0008, 0x0060, "CS", "DX"));
    elements.push(text(0x0028, 0x0004, "CS", "MONOCHROME1"));
    elements.push(number(0x0028, 0x0120, 7));
    elements.push(number(0x0028, 0x0121, 9));
    elements.push(text(0x0028, 0x1050, "DS", "40"));
    elements.push(text(0x0028, 0x1051, "DS", "80"));
    elements
}

/// Several files, each but the last behind its length.
fn series(places: &[f64]) -> Vec<u8> {
    let mut bytes = vec![places.len() as u8 - 1];
    for (number, &z) in places.iter().enumerate() {
        let file = file(EXPLICIT, &slice(z, 16), Pixels::Native(words(EXPLICIT)));
        if number + 1 < places.len() {
            bytes.extend((file.len() as u16).to_le_bytes());
        }
        bytes.extend(file);
    }
    bytes
}

fn words(coding: &str) -> Vec<u8> {
    let order = if coding == BIG_ENDIAN { u16::to_be_bytes } else { u16::to_le_bytes };
    (0..64u16).flat_map(|i| order(900 + 10 * i)).collect()
}

fn file(coding: &str, elements: &[Element], pixels: Pixels) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    let mut uid = coding.as_bytes().to_vec();
    uid.resize(uid.len().next_multiple_of(2), 0);
    bytes.extend(encoded(&Element(0x0002, 0x0010, "UI", uid), EXPLICIT));
    let mut data: Vec<u8> = elements.iter().flat_map(|element| encoded(element, coding)).collect();
    match pixels {
        Pixels::Native(words) => data.extend(encoded(&Element(0x7fe0, 0x0010, "OW", words), coding)),
        Pixels::Coded(frames) => {
            data.extend([0xe0, 0x7f, 0x10, 0x00, b'O', b'B', 0, 0, 0xff, 0xff, 0xff, 0xff]);
            data.extend(item(&[]));
            frames.iter().for_each(|frame| data.extend(item(frame)));
            data.extend([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]);
        }
    }
    bytes.extend(if coding == DEFLATED { stored(&data) } else { data });
    bytes
}

/// An element as a transfer syntax writes it; numbers are turned for big endian.
fn encoded(Element(group, element, vr, value): &Element, coding: &str) -> Vec<u8> {
    let is_big = coding == BIG_ENDIAN;
    let word = |n: u16| if is_big { n.to_be_bytes() } else { n.to_le_bytes() };
    let length = value.len() as u32;
    let mut bytes = [word(*group), word(*element)].concat();
    if coding == IMPLICIT {
        bytes.extend(length.to_le_bytes());
    } else if ["OB", "OW", "SQ"].contains(vr) {
        bytes.extend(vr.as_bytes());
        bytes.extend([0, 0]);
        bytes.extend(if is_big { length.to_be_bytes() } else { length.to_le_bytes() });
    } else {
        bytes.extend(vr.as_bytes());
        bytes.extend(word(length as u16));
    }
    match *vr {
        "US" if is_big => bytes.extend(value.iter().rev()),
        _ => bytes.extend(value),
    }
    bytes
}

fn item(content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xfe, 0xff, 0x00, 0xe0];
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(content);
    bytes
}

/// A deflate stream of one stored block.
fn stored(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), data].concat()
}

/// Two segments of 64 equal bytes.
fn run_lengths() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..12].copy_from_slice(&[2, 0, 0, 0, 64, 0, 0, 0, 66, 0, 0, 0]);
    bytes.extend([0xc1, 3, 0xc1, 200]);
    bytes
}

/// An even image of 8 x 8 pixels: all differences are 0, which is the only symbol of its tables.
fn jpeg(frame: u8, predictor: u8, coded: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    let mut segment = |marker: u8, body: &[u8]| {
        bytes.extend([0xff, marker]);
        bytes.extend((body.len() as u16 + 2).to_be_bytes());
        bytes.extend(body);
    };
    let only_zero = |class: u8| [&[class, 1][..], &[0; 15], &[0]].concat();
    segment(0xdb, &[&[0][..], &[1; 64]].concat());
    segment(frame, &[8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    segment(0xc4, &only_zero(0x00));
    segment(0xc4, &only_zero(0x10));
    segment(0xda, &[1, 1, 0, predictor, if predictor == 0 { 63 } else { 0 }, 0]);
    bytes.extend(coded);
    bytes.extend([0xff, 0xd9]);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}
