import Numerics

/// Times attention over one sequence.
struct AttentionBench {
    let tokens: Int
    let heads: Int
    /// Heads of keys and values; as many as query heads unless they are shared.
    var keyHeads: Int?
    let width: Int
    let type: DType
    let causal: Bool
    let backend: any Backend

    /// Seconds of a call: the median of as many as fit into the budget, at least three.
    func forward(budgetSeconds: Double) -> Double {
        let (q, k, v) = (random(heads), random(keyHeads ?? heads), random(keyHeads ?? heads))
        return median(budgetSeconds) {
            finish(q.attention(k, v, segments, causal: causal, scale: scale))
        }
    }

    /// The same with the gradients of q, k and v.
    func forwardAndBackward(budgetSeconds: Double) -> Double {
        let (q, k, v) = (random(heads), random(keyHeads ?? heads), random(keyHeads ?? heads))
        let dy = random(heads)
        return median(budgetSeconds) {
            let inputs = [q, k, v].map { $0.tracked() }
            let y = inputs[0].attention(
                inputs[1], inputs[2], segments, causal: causal, scale: scale)
            let gradients = y.gradients(seed: dy)
            inputs.forEach { gradients[$0].map(finish) }
        }
    }

    /// Multiplications and additions of the forward, counted as the peers do.
    var operations: Double {
        4 * Double(tokens * tokens * heads * width) * (causal ? 0.5 : 1)
    }

    /// Seconds of decoding one token of each of some sequences of `tokens` keys in pages.
    func decoding(sequences: Int, pageRows: Int, compressed: Bool, budgetSeconds: Double) -> Double
    {
        let each = (tokens + pageRows - 1) / pageRows
        let count = each * sequences
        let cache = KeyValuePages(
            pages: count, pageRows: pageRows, heads: (keyHeads ?? heads, width), type: type,
            compressed: compressed, on: backend)
        let rows = random(keyHeads ?? heads)
        let pages = (0..<sequences).map { sequence in
            (0..<each).map { Int32($0 * sequences + sequence) }
        }
        for some in pages {
            let slots = (0..<tokens).map { token in
                some[token / pageRows] * Int32(pageRows) + Int32(token % pageRows)
            }
            cache.write(rows, rows, at: Tensor(slots, on: backend))
        }
        let table = PageTable(
            Segments(
                queryLengths: Array(repeating: 1, count: sequences),
                keyLengths: Array(repeating: tokens, count: sequences)),
            pages: pages, pageRows: pageRows, on: backend)
        let q = Tensor.filled(0.5, [sequences, heads, width], type, on: backend)
        return median(budgetSeconds) { finish(cache.attention(q, table, scale: scale)) }
    }

    /// Bytes of keys and values that decoding reads for one sequence.
    func bytesRead(compressed: Bool) -> Double {
        let rows = 2 * Double(tokens * (keyHeads ?? heads))
        return compressed ? rows * Double(width + 4) : rows * Double(width * type.byteCount)
    }

    private var segments: Segments { Segments(lengths: [tokens]) }
    private var scale: Float { 1 / Float(width).squareRoot() }

    private func random(_ heads: Int) -> Tensor {
        var generator = SystemRandomNumberGenerator()
        let values = (0..<tokens * heads * width).map { _ in
            Float.random(in: -1...1, using: &generator)
        }
        return Tensor(values, [tokens, heads, width], on: backend).converted(to: type)
    }

    /// Waits for the device by taking the result's sum to the host.
    private func finish(_ tensor: Tensor) {
        if !(backend is CPUBackend) { _ = tensor.sum().floats() }
    }

    private func median(_ budgetSeconds: Double, _ call: () -> Void) -> Double {
        let clock = ContinuousClock()
        call()
        var times: [Duration] = []
        let end = clock.now + .seconds(budgetSeconds)
        while times.count < 3 || clock.now < end { times.append(clock.measure(call)) }
        return times.sorted()[times.count / 2] / .seconds(1)
    }
}
