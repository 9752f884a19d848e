//! Temporary naive evaluation.
use crate::ir::*;

fn idx(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |all, &n| {
        all.iter().flat_map(|h: &Vec<usize>| (0..n).map(move |i| [h.as_slice(), &[i]].concat())).collect()
    })
}
fn at(shape: &[usize], i: &[usize]) -> usize {
    i.iter().zip(shape).fold(0, |a, (i, n)| a * n + i)
}
fn taps(w: &Window, o: &[usize], size: &[usize]) -> Vec<(usize, Option<usize>)> {
    idx(&w.kernel)
        .iter()
        .enumerate()
        .map(|(t, k)| {
            let p: Vec<i64> = (0..k.len())
                .map(|a| (o[a] * w.strides[a] + k[a] * w.dilations[a]) as i64 - w.pads_begin[a] as i64)
                .collect();
            let ok = (0..k.len()).all(|a| p[a] >= 0 && p[a] < size[a] as i64);
            (t, ok.then(|| at(size, &p.iter().map(|x| *x as usize).collect::<Vec<_>>())))
        })
        .collect()
}
pub(crate) fn evaluate_with(
    g: &Graph,
    input: &Tensor,
    show: &mut dyn FnMut(ValueId, &Tensor),
) -> Result<Tensor, String> {
    let mut v: Vec<Option<Tensor>> = vec![None; g.values.len()];
    show(g.input, input);
    v[g.input] = Some(input.clone());
    for n in &g.nodes {
        let x: Vec<&Tensor> = n.inputs.iter().map(|&i| v[i].as_ref().unwrap()).collect();
        let shape = g.values[n.output].shape.clone();
        let s = &x[0].shape;
        let plane = |s: &[usize]| s[2..].iter().product::<usize>();
        let mut out = vec![0f32; Tensor::count(&shape)];
        match &n.op {
            Op::Conv { window, groups, weight, bias } => {
                let (gi, go) = (s[1] / groups, shape[1] / groups);
                let mut j = 0;
                for m in 0..shape[1] {
                    for o in idx(&shape[2..]) {
                        let mut sum = bias[m];
                        for c in 0..gi {
                            for (t, p) in taps(window, &o, &s[2..]) {
                                if let Some(p) = p {
                                    sum += weight.data[(m * gi + c) * window.taps() + t]
                                        * x[0].data[(m / go * gi + c) * plane(s) + p];
                                }
                            }
                        }
                        out[j] = sum;
                        j += 1;
                    }
                }
            }
            Op::ConvTranspose { window, groups, weight, bias, .. } => {
                let (gi, go) = (s[1] / groups, shape[1] / groups);
                let op = plane(&shape);
                for m in 0..shape[1] {
                    out[m * op..][..op].fill(bias[m]);
                }
                for c in 0..s[1] {
                    for (ii, i) in idx(&s[2..]).iter().enumerate() {
                        for (t, k) in idx(&window.kernel).iter().enumerate() {
                            let p: Vec<i64> = (0..k.len())
                                .map(|a| {
                                    (i[a] * window.strides[a] + k[a] * window.dilations[a]) as i64
                                        - window.pads_begin[a] as i64
                                })
                                .collect();
                            if (0..k.len()).any(|a| p[a] < 0 || p[a] >= shape[a + 2] as i64) {
                                continue;
                            }
                            let p = at(&shape[2..], &p.iter().map(|x| *x as usize).collect::<Vec<_>>());
                            for m in 0..go {
                                out[(c / gi * go + m) * op + p] += weight.data
                                    [(c * go + m) * window.taps() + t]
                                    * x[0].data[c * plane(s) + ii];
                            }
                        }
                    }
                }
            }
            Op::Dense { weight, bias } => {
                let (o, i) = (weight.shape[0], weight.shape[1]);
                for (r, row) in x[0].data.chunks(i).enumerate() {
                    for m in 0..o {
                        out[r * o + m] =
                            bias[m] + row.iter().zip(&weight.data[m * i..]).map(|(a, b)| a * b).sum::<f32>();
                    }
                }
            }
            Op::Relu => out = x[0].data.iter().map(|x| x.max(0.0)).collect(),
            Op::MaxPool { window } | Op::AveragePool { window, .. } => {
                let mut j = 0;
                for c in 0..s[1] {
                    for o in idx(&shape[2..]) {
                        let vals = taps(window, &o, &s[2..])
                            .into_iter()
                            .filter_map(|(_, p)| p.map(|p| x[0].data[c * plane(s) + p]));
                        out[j] = if matches!(n.op, Op::MaxPool { .. }) {
                            vals.fold(f32::MIN, f32::max)
                        } else {
                            vals.sum::<f32>() / window.taps() as f32
                        };
                        j += 1;
                    }
                }
            }
            Op::Add => out = x[0].data.iter().zip(&x[1].data).map(|(a, b)| a + b).collect(),
            Op::Concat { axis } => {
                let outer: usize = s[..*axis].iter().product();
                out.clear();
                for r in 0..outer {
                    for t in &x {
                        let w = t.data.len() / outer;
                        out.extend(&t.data[r * w..][..w]);
                    }
                }
            }
            Op::Pad { begin, .. } => {
                for (j, i) in idx(s).iter().enumerate() {
                    out[at(&shape, &i.iter().zip(begin).map(|(a, b)| a + b).collect::<Vec<_>>())] =
                        x[0].data[j];
                }
            }
            Op::Reshape => out = x[0].data.clone(),
            Op::Transpose { perm } => {
                for (j, i) in idx(&shape).iter().enumerate() {
                    let mut k = vec![0; i.len()];
                    for (a, &p) in perm.iter().enumerate() {
                        k[p] = i[a];
                    }
                    out[j] = x[0].data[at(s, &k)];
                }
            }
        }
        let t = Tensor { shape, data: out };
        show(n.output, &t);
        v[n.output] = Some(t);
    }
    Ok(v[g.output].clone().unwrap())
}
