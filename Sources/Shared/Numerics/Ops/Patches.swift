internal import CKernels

extension Tensor {
    /// Cuts images into square patches, row by row: a patch embedding is a linear layer over them,
    /// whose weight is that of a convolution with its kernel as stride, flattened.
    /// - Parameters:
    ///   - size: side of a patch P; it divides Y and X, where self is `[I, C, Y, X]`
    /// - Returns: `[I · Y/P · X/P, C · P · P]`, each row as channel, y, x
    package func patches(size: Int) -> Tensor {
        precondition(
            shape.rank == 4 && size > 0 && shape[2] % size == 0 && shape[3] % size == 0,
            "patches: images \(shape), patches of \(size)")
        let source = shape
        let y = Tensor.empty(
            [shape[0] * (shape[2] / size) * (shape[3] / size), shape[1] * size * size], type,
            on: backend)
        y.launchPatches(CK_patches, [y.write, read], of: source, size: size)
        return y.recorded("patches", inputs: [self]) { dy, _ in
            let dx = Tensor.empty(source, dy.type, on: dy.backend)
            dy.launchPatches(CK_patches_dx, [dy.read, dx.write], of: source, size: size)
            return [dx]
        }
    }

    /// Where self is the patches.
    private func launchPatches(
        _ kernel: ck_kernel, _ operands: [Operand], of images: Shape, size: Int
    ) {
        backend.enqueue(
            Launch(
                Kernel(kernel), operands,
                numbers: [images[1], images[2], images[3], size, type.byteCount],
                units: shape[0], grain: Launch.grain(elements: shape[1])))
    }
}
