package import Images
package import Layers
package import Numerics

/// What a model sees of one picture.
package struct PreparedImage: Sendable {
    /// Normalised, in the shape that its family wants: `[T, 3, tile, tile]` or `[P, width]`.
    package let pixels: [Float]
    /// Of `pixels`.
    package let shape: Shape
    /// The picture's own size, upright.
    package let size: ImageSize
    /// Rows of text that it becomes.
    package let tokenCount: Int

    package init(pixels: [Float], shape: Shape, size: ImageSize, tokenCount: Int) {
        (self.pixels, self.shape, self.size) = (pixels, shape, size)
        self.tokenCount = tokenCount
    }

    /// On a device, float32.
    package func tensor(on backend: any Backend) -> Tensor { Tensor(pixels, shape, on: backend) }
}

/// A conversation as a model reads it.
package struct ModelInput: Sendable {
    /// Tokens, those that images replace among them.
    package var ids: [Int32]
    /// For each token, whether it is to be learned: part of what the assistant writes.
    package var isTrained: [Bool]
    /// For each token, what it counts in the loss where it is learned; empty for 1 each.
    package var lossWeights: [Float] = []
    package var images: [PreparedImage]
    /// For each image, the tokens that it replaces.
    package var imageRows: [Range<Int>]

    package init(
        ids: [Int32], isTrained: [Bool], images: [PreparedImage] = [],
        imageRows: [Range<Int>] = []
    ) {
        (self.ids, self.isTrained) = (ids, isTrained)
        (self.images, self.imageRows) = (images, imageRows)
    }

    /// For each row the token that should follow, or `Labels.ignored`.
    package var labels: [Int32] {
        ids.indices.map { row in
            row + 1 < ids.count && isTrained[row + 1] ? ids[row + 1] : Labels.ignored
        }
    }

    /// For each row what its label counts; 1 where no weights are given.
    package var labelWeights: [Float] {
        ids.indices.map { row in row + 1 < lossWeights.count ? lossWeights[row + 1] : 1 }
    }
}

/// A vision-language model whose pictures become rows of its text. A family conforms to this, and
/// everything that trains or serves works on it.
package protocol VisionLanguageModel: Sendable {
    /// The language model.
    var decoder: Decoder { get }

    /// The rows that pictures become.
    /// - Parameter images: any number above 0, on the host
    /// - Returns: `[Σ tokenCount, D]`, picture after picture
    func imageFeatures(_ images: [PreparedImage], _ pass: Pass) -> Tensor
}

extension VisionLanguageModel {
    /// The device that the weights are on.
    package var backend: any Backend { decoder.embedding.table.value.backend }

    /// The type that rows flow in.
    package var type: DType { decoder.embedding.table.value.type }

    /// Rows of text with the rows of pictures in their places.
    /// - Parameters:
    ///   - ids: of all sequences; those that pictures replace need not be in the table
    ///   - imageRows: where the features go, in their order
    ///   - features: `[imageRows.count, D]`
    /// - Returns: `[N, D]`
    package func embedded(
        _ ids: [Int32], imageRows: [Int32] = [], features: Tensor? = nil, _ pass: Pass
    ) -> Tensor {
        guard let features else { return decoder.embedding(ids, pass) }
        var ids = ids
        for row in imageRows { ids[Int(row)] = 0 }
        return decoder.embedding(ids, pass).replacing(rows: imageRows, with: features)
    }

    /// Hidden rows of whole conversations, one after another.
    /// - Parameter watch: called with the rows before each layer of the language model
    /// - Returns: `[N, D]`, after the last norm
    package func hidden(
        _ inputs: [ModelInput], _ pass: Pass, watch: (Tensor) -> Void = { _ in }
    ) -> Tensor {
        let images = inputs.flatMap(\.images)
        let features = images.isEmpty ? nil : imageFeatures(images, pass)
        var (ids, positions, rows) = ([Int32](), [Int32](), [Int32]())
        for input in inputs {
            rows += input.imageRows.flatMap { $0.map { Int32(ids.count + $0) } }
            ids += input.ids
            positions += input.ids.indices.map { Int32($0) }
        }
        let x = embedded(ids, imageRows: rows, features: features, pass)
        return decoder(
            x, decoder.rotary(at: Tensor(positions, on: backend)),
            Segments(lengths: inputs.map(\.ids.count)), pass, watch: watch)
    }

    /// The summed cross-entropy of what the assistants write, and over how many tokens. The loss of
    /// a step is the sum over its batches, divided by the tokens of all of them.
    /// - Returns: the sum, `[]`, float32
    package func loss(_ inputs: [ModelInput], _ pass: Pass) -> (sum: Tensor, tokens: Int) {
        let labels = Labels(
            inputs.flatMap(\.labels), vocabulary: decoder.config.vocabulary, on: backend)
        let sum = decoder.head.crossEntropy(hidden(inputs, pass), labels: labels, pass)
        return (sum, labels.countedRows)
    }

    /// Logits of every row of whole conversations.
    /// - Returns: float32 `[N, V]`
    package func logits(_ inputs: [ModelInput], _ pass: Pass) -> Tensor {
        decoder.head(hidden(inputs, pass), pass, as: .float32)
    }
}
