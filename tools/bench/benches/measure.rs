//! Measures the time to read, check and measure a sphere of 1.3 million triangles in each format, and to reject one
//! with a hole.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use mesh::{Format, Limits, measure, solids};

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
    group.throughput(Throughput::Bytes(open.len() as u64));
    group.bench_function("binary_stl_with_a_hole", |bencher| {
        bencher.iter(|| measure(Format::Stl, black_box(&open), &Limits::default()).expect_err("an open surface"));
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_formats(&mut criterion);
    criterion.final_summary();
}
