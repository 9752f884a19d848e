//! The qform: a turn as a quaternion, spacings and an offset (method 2 of `nifti1.h`), read and written.

use super::header::GridFields;
use crate::geometry::{Affine, cross, dot, length};

impl GridFields {
    /// The same with a qform, for programs that open no sheared sform: row, column and their normal, from the same corner.
    /// Unchanged when rows and columns are not at a right angle, for then there is none.
    pub(super) fn with_qform(self, affine: &Affine) -> GridFields {
        let Some(straight) = affine.unsheared() else { return self };
        let spacing = straight.spacing_mm();
        let mut turn = [0, 1, 2].map(|r| [0, 1, 2].map(|c| straight.0[r][c] / spacing[c]));
        let handedness = determinant(&turn).signum();
        turn.iter_mut().for_each(|row| row[2] *= handedness);
        let [b, c, d] = quaternion(&turn);
        let corner = straight.0.map(|row| row[3]);
        GridFields {
            pixdim: [handedness, spacing[0], spacing[1], spacing[2]].map(|x| x as f32),
            qform_code: self.sform_code,
            qform: [b, c, d, corner[0], corner[1], corner[2]].map(|x| x as f32),
            ..self
        }
    }

    /// What a mask on the same grid carries: the very same fields, and a qform where a sheared sform stands alone.
    pub(crate) fn for_mask(self) -> GridFields {
        let affine = self.affine();
        // ITK opens no grid whose directions are off a right angle by 1e-4.
        let is_sheared = affine.unsheared().is_some_and(|straight| {
            let (step, normal) = (affine.step_mm(2), straight.step_mm(2));
            length([0, 1, 2].map(|c| step[c] - normal[c])) > 2e-5 * length(step)
        });
        if self.sform_code > 0 && self.qform_code == 0 && is_sheared {
            self.with_qform(&affine)
        } else {
            self
        }
    }

    /// The affine that the qform gives.
    pub(super) fn qform_affine(&self, spacing: [f64; 3]) -> Affine {
        let [b, c, d, x, y, z] = self.qform.map(f64::from);
        // The quaternion has length 1; the file leaves out its first part.
        let a = (1.0 - (b * b + c * c + d * d)).max(0.0).sqrt();
        let turn = [
            [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
            [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
            [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ];
        let handedness = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let steps = [spacing[0], spacing[1], spacing[2] * handedness];
        let offsets = [x, y, z];
        Affine(
            [0, 1, 2]
                .map(|r| [turn[r][0] * steps[0], turn[r][1] * steps[1], turn[r][2] * steps[2], offsets[r]]),
        )
    }
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    dot(m[0], cross(m[1], m[2]))
}

/// Parts b, c, d of the unit quaternion of a turn, with a part a that is not negative, as `nifti1.h` has it. The largest of the four
/// is worked out first, so that nothing is divided by a small number.
fn quaternion(turn: &[[f64; 3]; 3]) -> [f64; 3] {
    let [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = *turn;
    // Four times the products of a, b, c, d with each other.
    let squares = [1.0 + xx + yy + zz, 1.0 + xx - yy - zz, 1.0 - xx + yy - zz, 1.0 - xx - yy + zz];
    let rows = [
        [squares[0], zy - yz, xz - zx, yx - xy],
        [zy - yz, squares[1], xy + yx, xz + zx],
        [xz - zx, xy + yx, squares[2], yz + zy],
        [yx - xy, xz + zx, yz + zy, squares[3]],
    ];
    let largest = (0..4).max_by(|&i, &j| squares[i].total_cmp(&squares[j])).expect("four parts");
    let sign = if rows[largest][0] < 0.0 { -1.0 } else { 1.0 };
    let scale = sign / (2.0 * squares[largest].sqrt());
    [1, 2, 3].map(|part| rows[largest][part] * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turned about all three axes, spaced 0.7, 0.8 and 2.5 mm, mirrored or not, and sheared.
    fn grid(angles: [f64; 3], mirror: f64, shear: f64) -> Affine {
        let ([sa, sb, sc], [ca, cb, cc]) = (angles.map(f64::sin), angles.map(f64::cos));
        let turn = [
            [cb * cc, sa * sb * cc - ca * sc, ca * sb * cc + sa * sc],
            [cb * sc, sa * sb * sc + ca * cc, ca * sb * sc - sa * cc],
            [-sb, sa * cb, ca * cb],
        ];
        Affine(turn.map(|[x, y, z]| [0.7 * x, 0.8 * y, 2.5 * mirror * z + shear * y, 40.0 + x]))
    }

    #[test]
    fn a_qform_alone_gives_the_straight_grid_back() {
        use std::f64::consts::PI;
        let turns = [0.0, 0.3, -1.2, PI / 2.0, PI, 2.9];
        for (a, b, c) in turns.iter().flat_map(|&a| turns.iter().flat_map(move |&b| turns.map(|c| (a, b, c))))
        {
            for (mirror, shear) in [(1.0, 0.0), (-1.0, 0.0), (1.0, 0.6), (-1.0, -0.6)] {
                let affine = grid([a, b, c], mirror, shear);
                let fields = GridFields { sform_code: 0, ..GridFields::from_affine(&affine) };
                let straight = affine.unsheared().unwrap();
                assert!(fields.affine().is_close_to(&straight), "{:?} {straight:?}", fields.affine());
            }
        }
    }

    #[test]
    fn a_mask_gets_a_qform_where_a_sheared_sform_stands_alone() {
        let alone =
            |shear| GridFields { qform_code: 0, ..GridFields::from_affine(&grid([0.1; 3], 1.0, shear)) };
        assert_eq!(alone(0.0).for_mask(), alone(0.0));
        for shear in [2.5e-4, 0.6] {
            let fields = alone(shear).for_mask();
            assert_eq!((fields.qform_code, fields.srow), (1, alone(shear).srow));
        }
        let both = GridFields { qform_code: 2, ..alone(0.6) };
        assert_eq!(both.for_mask(), both, "a qform of the scan's own stays");
    }
}
