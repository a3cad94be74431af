import Base
import Images
import Messages
import Models
import Numerics
import RPC
import Resources
import Text
import Training

/// `PreviewExample`: one row exactly as training sees it.
struct PreviewExample: Sendable {
    let shop: TrainerShop

    func callAsFunction(_ request: PreviewExampleRequest) async throws -> PreviewExampleResponse {
        guard case .train(let spec)? = request.spec?.work else {
            throw request.spec?.work == nil
                ? ResourceError.required(field: "spec.train")
                : ResourceError.invalid(
                    field: "spec", seen: request.spec?.workName ?? "",
                    allowed: "a train spec is allowed")
        }
        let parts = try await shop.parts(spec)
        let row = try await row(request.example, parts.version)
        return try Preview(row, parts).response(includesPixels: request.includePixels)
    }

    /// The row asked for, or the first one of the train split.
    private func row(
        _ example: String, _ version: DatasetVersion
    ) async throws -> StreamedExample {
        for split in [SplitKind.train, .validation, .test] {
            var request = StreamExamplesRequest()
            (request.version, request.split) = (version.name, split)
            // Rows are looked for without their images, the one that was found is sent with them.
            request.omitImages = !example.isEmpty
            request.rowCountMax = example.isEmpty ? 1 : 0
            var cursor = Bytes()
            let stream = try await shop.library.datasets.rows(request)
            defer { stream.cancel() }
            while let response = try await shop.library.datasets.next(stream) {
                guard case .example(let row)? = response.part else { continue }
                if example.isEmpty { return row }
                guard row.example == example else {
                    cursor = response.cursor
                    continue
                }
                (request.omitImages, request.rowCountMax, request.cursor) = (false, 1, cursor)
                let found = try await shop.library.datasets.rows(request)
                while let response = try await shop.library.datasets.next(found) {
                    if case .example(let row)? = response.part { return row }
                }
            }
        }
        throw ResourceError.notFound(
            type: "fovea.dataset.v1.Example",
            name: example.isEmpty ? "row in \(version.name)" : example)
    }
}

/// A row on its way into the model.
private struct Preview {
    private let row: StreamedExample
    private let parts: TrainWork.Parts
    private let conversation: Conversation
    private let sizes: [ImageSize]
    private let encoder: RowEncoder

    init(_ row: StreamedExample, _ parts: TrainWork.Parts) throws {
        (self.row, self.parts) = (row, parts)
        conversation = try Conversation(row)
        sizes = try conversation.images.enumerated().map { index, image in
            do throws(ImageError) {
                return ImageSize(uprightOf: try ImageHeader(reading: image.content))
            } catch {
                throw TrainerError.rowUnusable(
                    row: row.example, why: "image \(index + 1): \(error.message)")
            }
        }
        encoder = RowEncoder(
            parts.shape.model.inputs, parts.recipe, tokensMax: parts.shape.outline.lengthMax)
    }

    func response(includesPixels: Bool) throws -> PreviewExampleResponse {
        var response = PreviewExampleResponse()
        response.example = row.example
        response.contextTokensMax = UInt32(clamping: encoder.tokensMax)
        let outline = RowOutline(
            id: row.example, messages: conversation.messages, imageSizes: sizes)
        switch try encoder.budget(of: outline, index: 0) {
        case .isOverlong(let long):
            response.tokenCount = UInt32(clamping: long.tokens)
            response.imageTokenCount = UInt32(clamping: long.imageTokens)
            response.problems = [
                Problem(
                    TrainerError.contextExceeded(
                        rows: 1, longest: row.example, tokens: long.tokens,
                        tokensMax: encoder.tokensMax))
            ]
        case .fits(let facts): try describe(facts, &response)
        }
        if includesPixels {
            for index in response.images.indices {
                response.images[index].pixelsPng = try DecodedImage(
                    decoding: conversation.images[index].content
                ).image.png(level: 6)
            }
        }
        return response
    }

    private func describe(_ facts: RowFacts, _ response: inout PreviewExampleResponse) throws {
        let files = conversation.images.map(\.content)
        let training = TrainingRow(
            id: row.example, messages: conversation.messages, images: files)
        let input = try encoder.input(training, facts.shortening)
        let shape = parts.shape.model
        response.tokenIDs = input.ids.map { UInt32(bitPattern: $0) }
        response.tokenCount = UInt32(clamping: input.ids.count)
        response.imageTokenCount = UInt32(clamping: facts.imageTokens)
        response.trainedTokenCount = UInt32(clamping: facts.trainedTokens)
        if !facts.shortening.words.isEmpty { response.shortenings = [facts.shortening.words] }
        response.spans = spans(input, shape.inputs.chat.tokenizer)
        response.renderedText = response.spans.map { $0.imageIndex == nil ? $0.text : "<image>" }
            .joined()
        response.images = zip(input.images, sizes).map { prepared, size in
            .with {
                $0.widthPixels = UInt32(clamping: size.width)
                $0.heightPixels = UInt32(clamping: size.height)
                $0.resizedWidthPixels = UInt32(clamping: prepared.size.width)
                $0.resizedHeightPixels = UInt32(clamping: prepared.size.height)
                $0.tileCount = UInt32(clamping: prepared.shape[0])
                $0.tokenCount = UInt32(clamping: prepared.tokenCount)
            }
        }
        response.problems = problems(facts)
    }

    private func problems(_ facts: RowFacts) -> [Problem] {
        var problems: [Problem] = []
        if facts.trainedTokens == 0 || facts.trainedTokens >= facts.tokens - 1 {
            problems.append(
                Problem(
                    TrainerError.lossMask(
                        row: row.example, trained: facts.trainedTokens, tokens: facts.tokens)))
        }
        if facts.images > 0, facts.imageTokens == 0 {
            problems.append(
                Problem(
                    TrainerError.imageTokensMissing(row: row.example, images: facts.images)))
        }
        return problems
    }

    /// Runs of tokens that are of one image, or of text that is learned, or of text that is not.
    private func spans(_ input: ModelInput, _ tokenizer: Tokenizer) -> [TokenSpan] {
        var image = [Int?](repeating: nil, count: input.ids.count)
        for (index, range) in input.imageRows.enumerated() {
            for token in range { image[token] = index }
        }
        let weights = [0] + input.labelWeights
        var spans: [TokenSpan] = []
        var start = 0
        for end in input.ids.indices.map({ $0 + 1 }) {
            let isSame =
                end < input.ids.count && image[end] == image[start]
                && input.isTrained[end] == input.isTrained[start]
                && weights[end] == weights[start]
            guard !isSame else { continue }
            var span = TokenSpan()
            (span.firstToken, span.tokenCount) = (UInt32(start), UInt32(end - start))
            if let index = image[start] {
                span.imageIndex = UInt32(index)
            } else {
                span.text = tokenizer.decode(Array(input.ids[start..<end]), skippingSpecial: false)
            }
            // The first token has none before it that it could be told from.
            span.lossWeight = input.isTrained[start] && start > 0 ? Double(weights[start]) : 0
            spans.append(span)
            start = end
        }
        return spans
    }
}
