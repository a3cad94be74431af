extension Tensor {
    /// The same elements in the same order with another shape of as many. Nothing is copied.
    package func reshaped(_ target: Shape) -> Tensor {
        precondition(target.count == shape.count, "reshaped: \(shape) to \(target)")
        let source = shape
        let y = Tensor(shape: target, type: type, buffer: buffer, offset: offset)
        return y.recorded("reshaped", inputs: [self]) { dy, _ in [dy.reshaped(source)] }
    }
}
