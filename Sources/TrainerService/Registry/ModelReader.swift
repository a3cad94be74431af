import Base
import Digests
import Images
import Layers
import Messages
import Models
import Numerics
import TensorFiles
import Text
import Training

/// A model without its numbers: what checking, counting and rendering need.
struct ModelShape: Sendable {
    let model: LoadedModel
    let outline: ModelOutline

    /// Reads a folder and checks every tensor against the architecture.
    init(_ folder: ModelFolder) throws(TrainerError) {
        // What may be trained stays as it is: nothing is packed.
        let plan = WeightPlan(type: .bfloat16, isTrainable: { _ in true })
        do {
            model = try LoadedModel(folder: folder.path, plan, on: OutlineBackend())
        } catch {
            throw .modelUnsupported(why: error.message)
        }
        outline = ModelOutline(model)
    }
}

/// Reads model folders, on a thread of its own: digests of large models take a while.
actor ModelReader {
    private let executor = ThreadExecutor(named: "models")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// All that registration says of a folder but for names and times.
    func read(_ folder: ModelFolder, expecting digest: String) throws -> RegisteredModel {
        let shape = try ModelShape(folder)
        var message = RegisteredModel()
        message.directory = folder.path
        let files = try folder.files()
        message.files = try files.map { try folder.digested($0) }
        let weights = message.files.filter { $0.path.hasSuffix(".safetensors") }
        message.modelSha256 = weights.digest
        guard digest.isEmpty || digest == message.modelSha256 else {
            throw TrainerError.digestMismatch(
                what: "the directory", expected: digest, seen: message.modelSha256)
        }
        try describe(shape, folder, &message)
        if folder.hasPickledWeights() {
            message.warnings.append(
                Problem(
                    .unspecified, field: "directory",
                    "pickled weights beside the safetensors files are not read"))
        }
        message.licence = folder.licence()
        return message
    }

    private func describe(
        _ shape: ModelShape, _ folder: ModelFolder, _ message: inout RegisteredModel
    ) throws {
        let files = ModelFiles(folder.path)
        let config = try files.config()
        message.architecture = try config.text("model_type")
        let decoder = shape.model.model.decoder.config
        message.contextTokensMax = UInt32(clamping: decoder.lengthMax)
        message.vocabularyCount = UInt32(clamping: decoder.vocabulary)
        let stored = try Checkpoint(folder: folder.path).tensors
        message.weightFormat = Self.format(stored, try files.quantisation())
        message.parts = RunPart.allCases.compactMap { part in
            Self.summary(of: part, shape, stored)
        }
        message.parameterCount = UInt64(shape.model.parameterCount)
        let spec = try PreprocessReader(shape, files, message.files).spec()
        message.preprocess = spec
        message.preprocessSha256 = spec.digest
    }

    private static func summary(
        of part: RunPart, _ shape: ModelShape, _ stored: [StoredTensor]
    ) -> ModelPartSummary? {
        let layers = shape.outline.layers.filter { $0.part == part }
        let packed = shape.model.linears.filter {
            $0.parameter == nil && RunPart(of: $0.path) == part
        }
        let count =
            shape.outline.parameters.reduce(0) { $0 + ($1.part == part ? $1.count : 0) }
            + packed.reduce(0) { $0 + $1.stored.count }
        guard count > 0 else { return nil }
        var summary = ModelPartSummary()
        summary.part = Messages.ModelPart(part)
        summary.parameterCount = UInt64(count)
        let name = shape.model.family.name
        summary.sizeBytes = stored.reduce(0) { sum, tensor in
            let isOfPart = name(tensor.name).map { RunPart(of: $0) } == part
            return sum + (isOfPart ? UInt64(tensor.range.count) : 0)
        }
        let numbers = layers.compactMap {
            $0.path.split(separator: ".").compactMap { Int($0) }.first
        }
        summary.layerCount = UInt32(clamping: Set(numbers).count)
        let widths = Dictionary(grouping: layers, by: \.width).mapValues(\.count)
        summary.width = UInt32(
            clamping: widths.max { ($0.value, -$0.key) < ($1.value, -$1.key) }?.key ?? 0)
        let names = layers.filter { !$0.isConvolution }.compactMap {
            $0.path.split(separator: ".").last.map(String.init)
        }
        summary.targetModules = Set(names).sorted()
        return summary
    }

    /// The format that most bytes are in.
    private static func format(
        _ stored: [StoredTensor], _ config: QuantisationConfig?
    ) -> Messages.WeightFormat {
        switch config?.method {
        case "gptq": return .int4Gptq
        case "awq": return .int4Awq
        case "bitsandbytes": return stored.contains { $0.name.hasSuffix(".absmax") } ? .nf4 : .int8
        case "compressed-tensors":
            let bits = config?.groups?.values.compactMap { $0.weights?.bits }.first
            return bits == 8 ? .int8 : .int4
        default: break
        }
        let bytes = Dictionary(grouping: stored, by: \.type).mapValues { tensors in
            tensors.reduce(0) { $0 + $1.range.count }
        }
        switch bytes.max(by: { $0.value < $1.value })?.key {
        case .bfloat16: return .bfloat16
        case .float16: return .float16
        case .float32: return .float32
        default: return .unspecified
        }
    }
}

extension Messages.ModelPart {
    /// The contract's name of a part.
    init(_ part: RunPart) {
        self =
            switch part {
            case .tower: .visionTower
            case .projector: .projector
            case .language: .languageModel
            case .embeddings: .embeddings
            }
    }
}
