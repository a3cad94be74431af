import Base
import Digests
import Images
import Messages
import Models
import Numerics
import Resources
import Text

/// A prompt as the model reads it, with what became of its images.
struct PreparedPrompt: Sendable {
    let input: ModelInput
    /// In the order of the request.
    let uses: [ImageUse]
    /// Of the images, in the order of their places.
    let sizes: [ImageSize]
    /// What tells the images from others, in the order of their places.
    let imageNames: [String]
    let decodeSeconds, resizeSeconds: Double

    /// What the prompt costs.
    var usage: Messages.TokenUsage {
        .with {
            $0.promptTokens = UInt32(input.ids.count)
            $0.imageTokens = UInt32(input.imageRows.reduce(0) { $0 + $1.count })
        }
    }
}

/// Decodes and resizes images and turns text into tokens, on a thread of its own.
actor Preparer {
    private struct Encoded {
        let field: String
        let bytes: Bytes
        let digest: Digest256
        let header: ImageHeader
    }

    private let executor = ThreadExecutor(named: "prepare")
    private let inputs: InputEncoder
    private let store: ImageStore

    init(_ inputs: InputEncoder, _ store: ImageStore) {
        (self.inputs, self.store) = (inputs, store)
    }

    /// The thread of this object.
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// What the model reads of a conversation. Everything is counted before anything is decoded,
    /// and one image at a time is decoded.
    func prompt(_ conversation: Conversation, _ images: [ImagePayload]) throws -> PreparedPrompt {
        let encoded = try images.enumerated().map { try self.encoded($1, index: $0) }
        let sizes = encoded.map(\.header.uprightSize)
        let chat: EncodedChat
        do throws(ModelError) {
            chat = try inputs.encoded(
                conversation.messages, conversation.order.map { sizes[$0] }, forGeneration: true)
        } catch {
            throw Self.failure(error, conversation.order)
        }
        var prepared: [PreparedImage] = []
        var (decodeSeconds, resizeSeconds) = (0.0, 0.0)
        for index in conversation.order {
            try Task.checkCancellation()
            let start = MonotonicTime.now()
            let picture = try decoded(encoded[index])
            let middle = MonotonicTime.now()
            do throws(ImageError) {
                prepared.append(try inputs.images.prepared(picture))
            } catch {
                throw InferenceError.of(error, field: encoded[index].field)
            }
            decodeSeconds += middle.seconds(since: start)
            resizeSeconds += MonotonicTime.now().seconds(since: middle)
        }
        for image in encoded { store.keep(image.bytes, image.digest) }
        return PreparedPrompt(
            input: ModelInput(
                ids: chat.ids, isTrained: chat.isTrained, images: prepared,
                imageRows: chat.images),
            uses: uses(encoded, prepared, conversation.order),
            sizes: conversation.order.map { sizes[$0] },
            imageNames: conversation.order.map { encoded[$0].digest.hex },
            decodeSeconds: decodeSeconds, resizeSeconds: resizeSeconds)
    }

    /// Tokens of the conversation with each choice as its answer.
    func choices(
        _ choices: [String], after messages: [ChatMessage], _ prompt: PreparedPrompt
    ) throws -> [ScoreWork.Choice] {
        try choices.enumerated().map { index, choice in
            try Task.checkCancellation()
            do throws(ModelError) {
                let chat = try inputs.encoded(
                    messages + [ChatMessage(.assistant, choice)], prompt.sizes)
                let shared = zip(chat.ids, prompt.input.ids).prefix { $0 == $1 }.count
                let isAnswer = chat.isTrained.enumerated().map { $0 >= shared && $1 }
                guard isAnswer.contains(true) else {
                    throw ModelError.badConfig(
                        field: "choices[\(index)]", seen: "no token",
                        allowed: "a text that the model can write")
                }
                return ScoreWork.Choice(ids: chat.ids, isAnswer: isAnswer)
            } catch {
                throw Self.failure(error, [])
            }
        }
    }

    private func encoded(_ payload: ImagePayload, index: Int) throws -> Encoded {
        let field = "images[\(index)]"
        try FieldRules.size(
            field + ".display_name", payload.displayName, InferenceLimits.displayNameBytesMax)
        let (bytes, digest, place) = try content(payload, field)
        do throws(ImageError) {
            let header = try ImageHeader(reading: bytes, limits: Self.limits)
            return Encoded(field: place, bytes: bytes, digest: digest, header: header)
        } catch {
            throw InferenceError.of(error, field: place)
        }
    }

    private func content(
        _ payload: ImagePayload, _ field: String
    ) throws -> (Bytes, Digest256, field: String) {
        switch payload.source {
        case .content(let bytes)?:
            return (bytes, bytes.withUnsafeBytes { SHA256.digest($0) }, field + ".content")
        case .imageSha256(let text)?:
            let field = field + ".image_sha256"
            guard let digest = Digest256(hex: text) else {
                throw ResourceError.invalid(
                    field: field, seen: text,
                    allowed: "64 lower-case hexadecimal digits are allowed")
            }
            guard let bytes = store[digest] else {
                throw InferenceError.imageNotFound(field: field, digest: text)
            }
            return (bytes, digest, field)
        case nil: throw ResourceError.required(field: field + ".content")
        }
    }

    private func decoded(_ image: Encoded) throws -> RGBImage {
        do throws(ImageError) {
            return try DecodedImage(
                decoding: image.bytes, DecodeOptions(limits: Self.limits)
            ).image
        } catch {
            throw InferenceError.of(error, field: image.field)
        }
    }

    private func uses(
        _ encoded: [Encoded], _ prepared: [PreparedImage], _ order: [Int]
    ) -> [ImageUse] {
        var uses = encoded.map { image in
            ImageUse.with {
                $0.imageSha256 = image.digest.hex
                $0.widthPixels = UInt32(image.header.uprightSize.width)
                $0.heightPixels = UInt32(image.header.uprightSize.height)
            }
        }
        for (place, index) in order.enumerated() {
            uses[index].tokenCount = UInt32(prepared[place].tokenCount)
            let extents = prepared[place].shape.extents
            if extents.count == 4 { uses[index].tileCount = UInt32(extents[0]) }
        }
        return uses
    }

    private static let limits = ImageLimits(
        bytesMax: InferenceLimits.imageBytesMax, pixelsMax: InferenceLimits.imagePixelsMax)

    /// What the model refuses, as callers see it.
    private static func failure(_ error: ModelError, _ order: [Int]) -> any Failure {
        switch error {
        case .tooLong(let tokens, let images, let max):
            InferenceError.promptTooLong(
                tokens: tokens, imageTokens: images, answerTokens: 1, tokensMax: max)
        case .image(let place, let error):
            InferenceError.of(
                error, field: order.indices.contains(place) ? "images[\(order[place])]" : "images")
        default: InferenceError.turns(field: "turns", why: error.message)
        }
    }
}

extension ImageHeader {
    /// Of the picture once it stands upright.
    fileprivate var uprightSize: ImageSize {
        orientation.swapsSides
            ? ImageSize(height: width, width: height) : ImageSize(height: height, width: width)
    }
}
