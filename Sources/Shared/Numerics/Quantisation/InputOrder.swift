internal import CKernels

/// The order in which a packed weight has its inputs, where that is not the layer's own: inputs of
/// a group that the quantiser took from here and there come one after another.
struct InputOrder: Sendable {
    /// The input at each place of the weight, int32 `[in]`.
    let inputs: Tensor
    /// The place of each input, int32 `[in]`.
    let places: Tensor

    var byteCount: Int { inputs.byteCount + places.byteCount }

    /// - Parameter inputs: each number below `inputs.count` once
    init(_ inputs: [Int32], on backend: any Backend) {
        var places = [Int32](repeating: -1, count: inputs.count)
        for (place, input) in inputs.enumerated() {
            precondition(
                places.indices.contains(Int(input)) && places[Int(input)] < 0,
                "order: input \(input) of \(inputs.count), or twice")
            places[Int(input)] = Int32(place)
        }
        self.inputs = Tensor(inputs, on: backend)
        self.places = Tensor(places, on: backend)
    }

    /// What has the layer's inputs as columns, as the weight has them.
    func applied(to x: Tensor) -> Tensor { x.gathered(columns: inputs) }

    /// What has the weight's inputs as columns, as the layer has them.
    func undone(in x: Tensor) -> Tensor { x.gathered(columns: places) }
}

extension Tensor {
    /// Columns by number, of each row; nothing is recorded.
    fileprivate func gathered(columns: Tensor) -> Tensor {
        let width = columns.shape.count
        precondition(type.isFloat && shape.width == width, "order: \(shape) of \(type), \(width)")
        let y = Tensor.empty(shape, type, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_gather_columns_f32, for: type), [y.write, read, columns.read],
                numbers: [width, width], units: shape.rows,
                grain: Launch.grain(elements: width)))
        return y
    }
}
