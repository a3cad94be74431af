package import Base
internal import CKernels

extension Tensor {
    /// Numbers spread evenly over [0, 1), multiples of 2⁻²⁴: element i is `key.uniform(at: i)`.
    /// - Returns: float32
    package static func uniform(
        _ shape: Shape, _ key: RandomKey, on backend: any Backend
    ) -> Tensor {
        random(CK_random_uniform, shape, key, backend)
    }

    /// Normal numbers of mean 0 and deviation 1: element i is `key.normal(at: i)`.
    /// - Returns: float32
    package static func normal(
        _ shape: Shape, _ key: RandomKey, on backend: any Backend
    ) -> Tensor {
        random(CK_random_normal, shape, key, backend)
    }

    private static func random(
        _ kernel: ck_kernel, _ shape: Shape, _ key: RandomKey, _ backend: any Backend
    ) -> Tensor {
        let y = Tensor.empty(shape, .float32, on: backend)
        backend.enqueue(
            Launch(
                Kernel(kernel), [y.write], numbers: [shape.count] + key.numbers,
                units: RandomKey.units(shape.count),
                grain: Launch.grain(elements: 8 * Int(CK_RANDOM_BLOCK))))
        return y
    }
}

extension RandomKey {
    /// How many blocks of a kernel's unit a number of elements is.
    static func units(_ elements: Int) -> Int {
        (elements + Int(CK_RANDOM_BLOCK) - 1) / Int(CK_RANDOM_BLOCK)
    }
}
