//! The memory that the worst files at the limits take, which is what a service has to be given for each model that it reads
//! at the same time.
//!
//! In a program of its own, because everything that another test allocates would count.
#![expect(unsafe_code, reason = "an allocator that counts has to hand over to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::f64::consts::TAU;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mesh::solids::Solid;
use mesh::{Format, Limits, measure};

/// What a model takes beyond its file, at most; docs/pricing.md says it, and the limits of the containers follow from it.
const MOST: usize = 176 << 20;

/// The system's allocator, which counts the bytes in use.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocated(bytes: usize) {
    PEAK.fetch_max(USED.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: every call is handed over to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    /// A large block grows by moving its pages, not by a copy, so it counts once.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        USED.fetch_sub(layout.size(), Relaxed);
        allocated(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The most memory in use while an OBJ file is measured, and the code of its error. An OBJ has the most to keep: also which
/// triangles are a polygon.
fn peak(bytes: &[u8]) -> (usize, Option<&'static str>) {
    let before = USED.load(Relaxed);
    PEAK.store(before, Relaxed);
    let error = measure(Format::Obj, bytes, &Limits::default()).err();
    (PEAK.load(Relaxed) - before, error.map(|error| error.code()))
}

/// A solid of the most vertices, where no triangles use them yet.
fn vertices() -> Solid {
    let count = Limits::default().max_vertices as u32;
    let vertex = |index: u32| [index % 200, index / 200 % 200, index / 40_000].map(|step| f64::from(step) * 0.5);
    Solid { vertices: (0..count).map(vertex).collect(), triangles: Vec::new() }
}

/// As many triangles as allowed that share no edge, with as many corners as allowed.
fn open_edges() -> Solid {
    let mut solid = vertices();
    let count = solid.vertices.len() as u32;
    solid.triangles = (0..count).map(|index| [index, index + 1, index + 7].map(|vertex| vertex % count)).collect();
    solid
}

/// Double pyramids of 32 triangles in each other's boxes, with as many vertices as allowed.
fn many_bodies() -> Solid {
    let mut solid = vertices();
    let sides = 16;
    let bodies = Limits::default().max_triangles as u32 / (2 * sides);
    for body in 0..bodies {
        let middle = [body % 40, body / 40 % 40, body / 1600].map(|step| f64::from(step) * 3.0);
        let first = body * (sides + 2);
        let mut corners: Vec<[f64; 3]> = (0..sides)
            .map(|side| {
                let (sin, cos) = (TAU * f64::from(side) / f64::from(sides)).sin_cos();
                [middle[0] + 2.0 * cos, middle[1] + 2.0 * sin, middle[2]].map(|c| (c * 1e3).round() / 1e3)
            })
            .collect();
        corners.extend([2.0, -2.0].map(|height| [middle[0], middle[1], middle[2] + height]));
        solid.vertices[first as usize..][..corners.len()].copy_from_slice(&corners);
        for side in 0..sides {
            let next = (side + 1) % sides;
            let two = [[side, next, sides], [next, side, sides + 1]];
            solid.triangles.extend(two.map(|triangle| triangle.map(|corner| first + corner)));
        }
    }
    solid
}

#[test]
fn the_worst_files_at_the_limits_take_a_bounded_memory() {
    for (solid, code) in [(open_edges(), "not_closed"), (many_bodies(), "too_complex")] {
        let (peak, error) = peak(&solid.to_obj());
        println!("{code}: {} MiB", peak >> 20);
        // That it was read to the end, and not refused for exceeding a limit.
        assert_eq!(error, Some(code));
        assert!(peak <= MOST, "{code}: {} MiB", peak >> 20);
    }
}
