package import Base

/// Four-bit tensors as GPTQ and AWQ write them for one linear layer, on the host.
package struct Int4Layout: Sendable {
    /// Who wrote the tensors.
    package enum Kind: Hashable, Sendable {
        /// `qweight` `[in / 8, out]`, eight codes of one output in a word, lowest bits first.
        /// Version 1 stores zero points less one; version 2 stores them as they are.
        case gptq(version: Int)
        /// `qweight` `[in, out / 8]`, outputs 0, 2, 4, 6, 1, 3, 5, 7 of eight from the lowest bits.
        case awq
    }

    package let kind: Kind
    package let out, width: Int
    package let weightWords: [Int32]
    /// `[groups, out / 8]`, packed along `out` as the kind does.
    package let zeroWords: [Int32]
    /// `[groups, out]`
    package let scales: [Float]
    /// The group of each input (`g_idx`); nil where groups are runs of inputs.
    package let groupOfInput: [Int32]?

    private let groups: Int

    /// - Parameters:
    ///   - words: `qweight` and `qzeros`, row-major
    ///   - groupOfInput: GPTQ's `g_idx`
    package init(
        _ kind: Kind, out: Int, width: Int, words: (weights: [Int32], zeros: [Int32]),
        scales: [Float], groupOfInput: [Int32]? = nil
    ) throws(Int4LayoutError) {
        let packed = if case .gptq = kind { width } else { out }
        guard out > 0, width > 0, out % 8 == 0, packed % 8 == 0 else {
            throw .shape(out: out, width: width)
        }
        guard words.weights.count == out * width / 8 else {
            throw .count("qweight", words.weights.count, expected: out * width / 8)
        }
        guard !scales.isEmpty, scales.count % out == 0 else {
            throw .count("scales", scales.count, expected: out)
        }
        let groups = scales.count / out
        guard words.zeros.count == groups * out / 8 else {
            throw .count("qzeros", words.zeros.count, expected: groups * out / 8)
        }
        guard groupOfInput != nil || width % groups == 0 else {
            throw .groups(groups, width: width)
        }
        if let groupOfInput {
            guard groupOfInput.count == width else {
                throw .count("g_idx", groupOfInput.count, expected: width)
            }
            if let wrong = groupOfInput.first(where: { $0 < 0 || Int($0) >= groups }) {
                throw .group(Int(wrong), groups: groups)
            }
        }
        (self.kind, self.out, self.width, self.scales) = (kind, out, width, scales)
        (weightWords, zeroWords, self.groupOfInput) = (words.weights, words.zeros, groupOfInput)
        self.groups = groups
    }

    /// The weight, packed in four bits. Where GPTQ put inputs in another order (`desc_act`), those
    /// of a group are packed one after another, since runs are what four-bit weights have scales
    /// for. Groups of different sizes cannot be such runs: they become float16.
    package func frozen(on backend: any Backend) -> FrozenWeight {
        guard let group = groupSize else {
            let w = Tensor(dequantised(groupOfInput ?? []), [out, width], on: backend)
            return FrozenWeight(w.converted(to: .float16))
        }
        let order = inputsByGroup
        let zeros = transposed { zero($0, $1) }
        let isSymmetric = zeros.allSatisfy { $0 == 8 }
        var weight = FrozenWeight(
            Int4Weight(
                shape: [out, width], group: group, codes: codes(order, on: backend),
                scales: Tensor(transposed { scales[$0 * out + $1] }, [out, groups], on: backend),
                zeros: isSymmetric ? nil : Tensor(zeros, [out, groups], on: backend)))
        weight.order = order.map { InputOrder($0, on: backend) }
        return weight
    }

    /// Inputs of each group, of which the last may have fewer; nil if they differ otherwise.
    private var groupSize: Int? {
        guard let groupOfInput else { return width / groups }
        var sizes = [Int](repeating: 0, count: groups)
        for group in groupOfInput { sizes[Int(group)] += 1 }
        let areEqual = sizes.dropLast().allSatisfy { $0 == sizes[0] }
        return areEqual && (1...max(sizes[0], 1)).contains(sizes[groups - 1]) ? sizes[0] : nil
    }

    /// The inputs by their group, and by number in it; nil where that is the order they have.
    private var inputsByGroup: [Int32]? {
        guard let groupOfInput else { return nil }
        let order = (0..<Int32(width)).sorted {
            (groupOfInput[Int($0)], $0) < (groupOfInput[Int($1)], $1)
        }
        return order.elementsEqual(0..<Int32(width)) ? nil : order
    }

    /// `[out, groups]` of what is indexed by group and output.
    private func transposed(_ value: (Int, Int) -> Float) -> [Float] {
        (0..<out * groups).map { value($0 % groups, $0 / groups) }
    }

    /// Row by row of `[out, in]`, two a byte, the first in the high half.
    /// - Parameter order: the input at each place of a row; nil for their own
    private func codes(_ order: [Int32]?, on backend: any Backend) -> Tensor {
        var bytes = [UInt8](repeating: 0, count: out * width / 2)
        weightWords.withUnsafeBufferPointer { words in
            func code(_ index: Int) -> UInt8 {
                let place = index % width
                return self.code(words, index / width, order.map { Int($0[place]) } ?? place)
            }
            for index in bytes.indices {
                bytes[index] = code(index * 2) << 4 | code(index * 2 + 1)
            }
        }
        return bytes.withUnsafeBytes {
            Tensor(bytes: $0, shape: [bytes.count], type: .uint8, on: backend)
        }
    }

    private func dequantised(_ groupOfInput: [Int32]) -> [Float] {
        weightWords.withUnsafeBufferPointer { words in
            (0..<out * width).map { index in
                let (row, k) = (index / width, index % width)
                let group = Int(groupOfInput[k])
                return (Float(code(words, row, k)) - zero(group, row)) * scales[group * out + row]
            }
        }
    }

    private func code(_ words: UnsafeBufferPointer<Int32>, _ row: Int, _ k: Int) -> UInt8 {
        switch kind {
        case .gptq: Int4Layout.nibble(words[k / 8 * out + row], k % 8)
        case .awq: Int4Layout.nibble(words[k * (out / 8) + row / 8], Int4Layout.awqPlace(row % 8))
        }
    }

    private func zero(_ group: Int, _ row: Int) -> Float {
        let word = zeroWords[group * (out / 8) + row / 8]
        return switch kind {
        case .gptq(let version):
            Float(Int4Layout.nibble(word, row % 8)) + (version == 1 ? 1 : 0)
        case .awq: Float(Int4Layout.nibble(word, Int4Layout.awqPlace(row % 8)))
        }
    }

    private static func nibble(_ word: Int32, _ place: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: UInt32(bitPattern: word) >> UInt32(4 * place)) & 15
    }

    /// Where AWQ puts an output of eight: even ones first.
    private static func awqPlace(_ output: Int) -> Int { output / 2 + output % 2 * 4 }
}

/// Why tensors are no four-bit layer.
package enum Int4LayoutError: Failure {
    case shape(out: Int, width: Int)
    case count(String, Int, expected: Int)
    case groups(Int, width: Int)
    case group(Int, groups: Int)

    package var kind: FailureKind { .invalidInput }

    package var message: String {
        switch self {
        case .shape(let out, let width):
            "a four-bit layer of \(out) outputs and \(width) inputs; both come in eights"
        case .count(let name, let count, let expected):
            "\(name) has \(count) elements; it needs \(expected)"
        case .groups(let groups, let width):
            "\(width) inputs do not divide into \(groups) groups"
        case .group(let group, let groups):
            "an input is in group \(group); there are \(groups)"
        }
    }

    package var reason: String {
        switch self {
        case .shape: "INT4_SHAPE"
        case .count: "INT4_COUNT"
        case .groups: "INT4_GROUPS"
        case .group: "INT4_GROUP"
        }
    }
}
