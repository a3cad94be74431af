import Numerics

/// Attention of one sequence to itself, and perhaps the way back.
struct AttentionBench {
    let tokens: Int
    let heads: Int
    let width: Int
    let type: DType
    let causal: Bool
    let backward: Bool

    init(_ task: Task) throws {
        tokens = try task.value(\.tokens)
        heads = try task.value(\.heads)
        width = try task.value(\.width)
        type = try task.elementType()
        causal = try task.value(\.causal)
        backward = try task.value(\.backward)
    }

    /// What is timed.
    func call(on backend: any Backend) -> () -> Void {
        let shape: Shape = [tokens, heads, width]
        let inputs = (1...3).map { Tensor.random(shape, type, seed: $0, on: backend) }
        let dy = Tensor.random(shape, type, seed: 4, on: backend)
        let (segments, scale) = (Segments(lengths: [tokens]), 1 / Float(width).squareRoot())
        return { [causal, backward] in
            let leaves = backward ? inputs.map { $0.tracked() } : inputs
            let y = leaves[0].attention(
                leaves[1], leaves[2], segments, causal: causal, scale: scale)
            if backward { _ = y.gradients(seed: dy) }
        }
    }
}

extension Tensor {
    /// Numbers between -1 and 1 that differ enough for no kernel to be lucky.
    static func random(
        _ shape: Shape, _ type: DType, seed: Int, on backend: any Backend
    ) -> Tensor {
        var state = UInt32(truncatingIfNeeded: seed)
        let values = (0..<shape.count).map { _ -> Float in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Float(Int32(bitPattern: state)) / Float(Int32.max)
        }
        return Tensor(values, shape, on: backend).converted(to: type)
    }
}
