/// The weight of a linear layer, `[out, in]`.
package enum LinearWeight: Sendable {
    /// As it is, packed anew for each product. It has a gradient if it is tracked.
    case plain(Tensor)
    /// Packed once, in any format. It has no gradient.
    case frozen(FrozenWeight)

    /// `[out, in]`
    package var shape: Shape {
        switch self {
        case .plain(let w): w.shape
        case .frozen(let w): w.shape
        }
    }

    fileprivate var tensor: Tensor? { if case .plain(let w) = self { w } else { nil } }

    fileprivate func operand(across: Bool) -> RightOperand {
        switch self {
        case .plain(let w): .plain(w.detached(), across: across)
        case .frozen(let w): .frozen(w, across: across)
        }
    }
}

/// A low-rank term of a linear layer: scale · (input downᵀ) upᵀ.
package struct LowRank: Sendable {
    /// `[R, in]`
    package let down: Tensor
    /// `[out, R]`
    package let up: Tensor
    /// alpha / R, or alpha / √R for rank-stabilised LoRA
    package let scale: Float
    /// What flows into the term, `[..., in]`: the layer's input after dropout; nil for the input.
    package let input: Tensor?

    package init(down: Tensor, up: Tensor, scale: Float, input: Tensor? = nil) {
        precondition(
            down.shape.rank == 2 && up.shape.rank == 2 && down.shape[0] == up.shape[1],
            "lowRank: down \(down.shape), up \(up.shape)")
        (self.down, self.up, self.scale, self.input) = (down, up, scale, input)
    }

    /// What the term adds to a weight: scale · up down, float32 `[out, in]`.
    package func matrix() -> Tensor {
        Product(x: up.detached(), b: .plain(down.detached(), across: true))(.float32) * scale
    }

    /// scale · (x downᵀ), float32 `[N, R]`.
    fileprivate func middle(_ x: Tensor) -> Tensor {
        Product(x: x, b: .plain(down.detached(), across: false))(.float32) * scale
    }
}

/// Some rows of a batch and the adapter that they go through.
package struct AdapterRows: Sendable {
    package let rows: Range<Int>
    package let adapter: LowRank

    package init(rows: Range<Int>, adapter: LowRank) {
        (self.rows, self.adapter) = (rows, adapter)
    }
}

extension Tensor {
    /// A linear layer over any weight, with an optional low-rank term.
    ///
    ///     y = x Wᵀ + bias + scale · (input downᵀ) upᵀ
    ///
    /// Sums are float32. Products of bfloat16 with bfloat16 or quantised weights multiply pairs of
    /// bfloat16; all others multiply float32.
    ///
    /// - Parameters:
    ///   - weight: `[out, in]`, where self is `[..., in]`
    ///   - bias: `[out]`
    ///   - result: the type of the result; nil for self's
    /// - Returns: `[..., out]`
    package func linear(
        _ weight: LinearWeight, bias: Tensor? = nil, lowRank: LowRank? = nil,
        as result: DType? = nil
    ) -> Tensor {
        checkLinear(weight, bias, lowRank)
        let x = detached()
        let lowInput = lowRank?.input?.detached() ?? x
        let middle = lowRank?.middle(lowInput)
        var product = Product(x: x, b: weight.operand(across: false))
        product.bias = bias?.detached().converted(to: .float32)
        if let middle, let lowRank {
            product.low = (middle, lowRank.up.detached(), false)
        }
        let y = product(result ?? type).reshaped(shape.withWidth(weight.shape[0]))
        let keepsInput =
            weight.tensor?.isTracked == true
            || (lowRank?.down.isTracked == true && lowRank?.input == nil)
        let step = LinearStep(
            shape: shape, type: type, x: keepsInput ? x : nil, weight: weight,
            bias: bias?.detached(), lowRank: lowRank, middle: middle)
        return y.recorded(
            "linear",
            inputs: [self, weight.tensor, bias, lowRank?.down, lowRank?.up, lowRank?.input]
        ) { dy, needed in step.gradients(dy, needed) }
    }

    /// A linear layer for serving: rows of one batch go through different adapters. A row's result
    /// has the bits that it has alone.
    ///
    /// - Parameter adapters: of any ranks; their rows do not overlap
    /// - Returns: `[N, out]`, where self is `[N, in]`; nothing is recorded
    package func linear(
        _ weight: LinearWeight, bias: Tensor? = nil, adapters: [AdapterRows]
    ) -> Tensor {
        let x = detached()
        guard !adapters.isEmpty else { return x.linear(weight, bias: bias?.detached()) }
        var product = Product(x: x, b: weight.operand(across: false))
        product.bias = bias?.detached().converted(to: .float32)
        let y = product(.float32)
        for part in adapters {
            checkLinear(weight, bias, part.adapter)
            precondition(
                shape.rank == 2 && part.adapter.input == nil && part.rows.lowerBound >= 0
                    && part.rows.upperBound <= shape[0],
                "linear: rows \(part.rows) of \(shape)")
            let middle = part.adapter.middle(x.rowRange(part.rows))
            Product(x: middle, b: .plain(part.adapter.up.detached(), across: false))
                .add(to: y.rowRange(part.rows))
        }
        return y.converted(to: type)
    }

    /// A linear layer for serving whose rows are rounded to 8 bits too, each by its own scale: the
    /// fastest product that there is, in whole numbers, with the same bits on every machine.
    ///
    /// - Parameter weight: of int8, `[out, in]`, where self is `[..., in]`
    /// - Returns: `[..., out]`, of self's type; nothing is recorded
    package func linearOfBytes(_ weight: FrozenWeight, bias: Tensor? = nil) -> Tensor {
        precondition(weight.format == .int8, "linearOfBytes: a weight of \(weight.format as Any)")
        checkLinear(.frozen(weight), bias, nil)
        var product = Product(x: detached(), b: .frozen(weight, across: false))
        product.bias = bias?.detached().converted(to: .float32)
        product.quantisesRows = true
        return product(type).reshaped(shape.withWidth(weight.shape[0]))
    }

    private func checkLinear(_ weight: LinearWeight, _ bias: Tensor?, _ lowRank: LowRank?) {
        let (out, width) = (weight.shape[0], weight.shape[1])
        precondition(
            type.isFloat && shape.width == width && shape.rank > 0
                && bias.map { $0.shape == [out] } ?? true,
            "linear: x \(shape) of \(type), weight \(weight.shape), "
                + "bias \(bias.map { "\($0.shape)" } ?? "none")")
        guard let lowRank else { return }
        precondition(
            lowRank.down.shape[1] == width && lowRank.up.shape[0] == out
                && lowRank.input.map { $0.shape == shape } ?? true,
            "linear: weight \(weight.shape), down \(lowRank.down.shape), "
                + "up \(lowRank.up.shape), input \(lowRank.input.map { "\($0.shape)" } ?? "x")")
    }
}

/// What the derivative of a linear layer needs of its forward run.
private struct LinearStep: Sendable {
    /// Of the input.
    let shape: Shape, type: DType
    /// The input, where a parameter's gradient needs it.
    let x: Tensor?
    let weight: LinearWeight
    let bias: Tensor?
    let lowRank: LowRank?
    /// scale · (input downᵀ)
    let middle: Tensor?

    /// With g = scale · dy up:
    ///
    ///     dx = dy W + g down    dW = dyᵀ x    dbias = Σ dy    ddown = gᵀ input    dup = dyᵀ middle
    ///
    /// - Returns: of x, weight, bias, down, up, input
    func gradients(_ dy: Tensor, _ needed: [Bool]) -> [Tensor?] {
        let dy = dy.converted(to: type)
        let g = lowRank.map { low in
            Product(x: dy, b: .plain(low.up.detached(), across: true))(.float32) * low.scale
        }
        let ownInput = lowRank?.input
        var dx: Tensor?
        if needed[0] {
            var product = Product(x: dy, b: weight.operand(across: true))
            if let g, let lowRank, ownInput == nil {
                product.low = (g, lowRank.down.detached(), true)
            }
            dx = product(type).reshaped(shape)
        }
        return [
            dx,
            needed[1] ? transposed(dy, times: x, like: weight.tensor) : nil,
            needed[2] ? bias.map { dy.summed(to: $0.shape).converted(to: $0.type) } : nil,
            needed[3] ? transposed(g, times: ownInput ?? x, like: lowRank?.down) : nil,
            needed[4] ? transposed(dy, times: middle, like: lowRank?.up) : nil,
            needed[5] ? inputGradient(g) : nil,
        ]
    }

    /// aᵀ b, of a parameter's type.
    private func transposed(_ a: Tensor?, times b: Tensor?, like parameter: Tensor?) -> Tensor? {
        guard let a, let b, let parameter else { return nil }
        return Product(x: a, across: true, b: .plain(b.detached(), across: true))(parameter.type)
    }

    private func inputGradient(_ g: Tensor?) -> Tensor? {
        guard let g, let lowRank, let input = lowRank.input else { return nil }
        return Product(x: g, b: .plain(lowRank.down.detached(), across: true))(input.type)
            .reshaped(input.shape)
    }
}
