//! Measures the time to read, check and measure a sphere of 1.3 million triangles in each format, the same with rounding
//! noise, with its triangles in random order or as one of several bodies, and to reject one with a hole.

use std::f64::consts::TAU;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use mesh::solids::{self, Solid};
use mesh::{Format, Limits, measure};

/// 1,301,880 triangles.
const SEGMENTS: u32 = 1142;

fn bench_formats(criterion: &mut Criterion) {
    let mut sphere = solids::sphere(10.0, SEGMENTS);
    let files = [
        ("binary_stl", Format::Stl, sphere.to_binary_stl()),
        ("ascii_stl", Format::Stl, sphere.to_ascii_stl()),
        ("obj", Format::Obj, sphere.to_obj()),
        ("3mf", Format::ThreeMf, sphere.to_3mf()),
    ];
    let mended = [
        ("binary_stl_with_noise", noisy(&sphere).to_binary_stl()),
        ("binary_stl_in_random_order", shuffled(sphere.clone()).to_binary_stl()),
        ("binary_stl_of_a_set_ring", set_ring().to_binary_stl()),
    ];
    sphere.triangles.pop();
    let open = sphere.to_binary_stl();

    let mut group = criterion.benchmark_group("measure");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    for (name, format, bytes) in &files {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| measure(*format, black_box(bytes), &Limits::default()).expect("a sphere"));
        });
    }
    for (name, bytes) in &mended {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| measure(Format::Stl, black_box(bytes), &Limits::default()).expect("solids"));
        });
    }
    group.throughput(Throughput::Bytes(open.len() as u64));
    group.bench_function("binary_stl_with_a_hole", |bencher| {
        bencher.iter(|| measure(Format::Stl, black_box(&open), &Limits::default()).expect_err("an open surface"));
    });
    group.finish();
}

/// The solid with corners of its own for each triangle, each moved by up to two millionths of a millimetre.
fn noisy(solid: &Solid) -> Solid {
    let mut random = fastrand::Rng::with_seed(1);
    let corners = solid.triangles.iter().flatten().map(|&corner| solid.vertices[corner as usize]);
    let vertices = corners.map(|vertex| vertex.map(|coordinate| coordinate + 4e-6 * (random.f64() - 0.5))).collect();
    let triangles = (0..solid.triangles.len() as u32).map(|index| [3 * index, 3 * index + 1, 3 * index + 2]).collect();
    Solid { vertices, triangles }
}

fn shuffled(mut solid: Solid) -> Solid {
    fastrand::Rng::with_seed(1).shuffle(&mut solid.triangles);
    solid
}

/// A ring with 80 stones, which overlap it: 81 bodies of 1.3 million triangles.
fn set_ring() -> Solid {
    let mut ring = solids::torus(10.0, 2.0, 570);
    for stone in 0..80 {
        let (sin, cos) = (TAU * f64::from(stone) / 80.0).sin_cos();
        let stone = solids::sphere(0.3, 90).map(|[x, y, z]| [x + 12.2 * cos, y + 12.2 * sin, z]);
        let offset = ring.vertices.len() as u32;
        ring.vertices.extend(stone.vertices);
        ring.triangles.extend(stone.triangles.iter().map(|triangle| triangle.map(|corner| corner + offset)));
    }
    ring
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_formats(&mut criterion);
    criterion.final_summary();
}
