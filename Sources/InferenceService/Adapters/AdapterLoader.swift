import Base
import Digests
import Foundation
import Generation
import Images
import Layers
import Messages
import Models
import Numerics
import Resources
import Text

/// An adapter read into memory, with what is known of it.
struct ReadAdapter: Sendable {
    let adapter: RequestAdapter
    let message: ServedAdapter
}

/// Reads adapters from disk on a thread of its own: whoever asks the model meanwhile is answered.
actor AdapterLoader {
    private let executor = ThreadExecutor(named: "adapters")
    private let model: LoadedModel
    private let engine: Engine
    private let roots: [String]
    /// Where adapters are kept, each in a folder named by its digest.
    private let folder: String

    init(_ model: LoadedModel, _ engine: Engine, _ settings: ServingSettings) throws {
        (self.model, self.engine) = (model, engine)
        roots = settings.adapterRoots.map { Self.resolved($0) }
        folder = settings.dataFolder + "/adapters"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        // What a crash left half copied.
        for name in try FileManager.default.contentsOfDirectory(atPath: folder)
        where name.hasPrefix(".") {
            try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
    }

    /// The thread of this object.
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// Copies a folder into our own, so that nobody else can change it.
    /// - Returns: the copy, and the digest of its content
    func copy(_ directory: String) throws -> (copy: String, digest: String) {
        let source = try allowed(directory)
        let names = try Self.files(of: source)
        let copy = "\(folder)/.\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: false)
        do {
            var left = InferenceLimits.adapterBytesMax
            var digests: [(String, Digest256)] = []
            for name in names {
                let (digest, bytes) = try FilePieces.copy(
                    "\(source)/\(name)", to: "\(copy)/\(name)", bytesMax: left)
                left -= bytes
                digests.append((name, digest))
            }
            return (copy, FolderDigest.digest(digests).hex)
        } catch let error as SystemError {
            discard(copy)
            throw InferenceError.adapterInvalid(why: "its files cannot be read: \(error.words)")
        } catch {
            discard(copy)
            throw error
        }
    }

    /// Removes a copy.
    func discard(_ copy: String) { try? FileManager.default.removeItem(atPath: copy) }

    /// Gives a copy its place. Another one there with the same digest has the same content.
    func keep(_ copy: String, as digest: String) throws {
        let place = "\(folder)/\(digest)"
        if FileManager.default.fileExists(atPath: place) { return discard(copy) }
        try FileManager.default.moveItem(atPath: copy, toPath: place)
    }

    /// Removes the files of an adapter.
    func erase(_ digest: String) { discard("\(folder)/\(digest)") }

    /// The folder of an adapter that is kept, its content checked.
    func kept(_ digest: String) throws -> String {
        let place = "\(folder)/\(digest)"
        guard FileManager.default.fileExists(atPath: place) else {
            throw ResourceError.notFound(type: "adapter", name: "adapters/sha256:\(digest)")
        }
        let seen = try FolderDigest.digest(of: Self.files(of: place), in: place).hex
        guard seen == digest else {
            throw InferenceError.digestMismatch(expected: digest, seen: seen)
        }
        return place
    }

    /// Reads an adapter; all of its tensors have their place in the model and are numbers.
    func read(_ directory: String, _ digest: String) throws -> ReadAdapter {
        let adapter: Adapter
        do throws(AdapterError) {
            adapter = try Adapter(folder: directory, for: model)
        } catch {
            throw InferenceError.of(error)
        }
        var bytes = 0
        for (name, tensor) in adapter.parameters {
            bytes += tensor.shape.count * 4
            guard tensor.floats().allSatisfy(\.isFinite) else {
                throw InferenceError.adapterInvalid(
                    why: "\(name) holds values that are no finite numbers")
            }
        }
        let modules = adapter.sites.terms.map(\.path) + adapter.sites.wholes.map(\.parameter)
        let message = ServedAdapter.with {
            $0.name = "adapters/sha256:\(digest)"
            $0.adapterSha256 = digest
            $0.rankMax = UInt32(adapter.sites.terms.map(\.rank).max() ?? 0)
            $0.boundModules = modules
            $0.boundTensorCount = UInt32(adapter.parameters.count)
            $0.changesVision = modules.contains { !$0.contains("language_model") }
            $0.sizeBytes = UInt64(bytes)
        }
        return ReadAdapter(
            adapter: RequestAdapter(name: digest, terms: adapter.bound), message: message)
    }

    /// What an adapter changes on a standing question about a plain picture.
    func effect(_ adapter: RequestAdapter) async throws -> AdapterEffect {
        let side = 64
        let pixels = (0..<side * side * 3).map { UInt8(truncatingIfNeeded: $0 * 37 / 11) }
        guard let picture = RGBImage(width: side, height: side, pixels: pixels) else {
            preconditionFailure("adapter probe: \(pixels.count) bytes for \(side) x \(side) pixels")
        }
        let question = ChatMessage(.user, [.image, .text("What does the picture show?")])
        let input = try model.inputs.input([question], [picture], forGeneration: true)
        let (base, changed) = await engine.with { model in
            (
                Self.lastLogits(model, input, Pass()),
                Self.lastLogits(model, input, Pass().with(adapter.terms))
            )
        }
        guard changed.allSatisfy(\.isFinite) else {
            throw InferenceError.adapterInvalid(
                why: "its logits on a probe row are no finite numbers")
        }
        let difference = zip(base, changed).reduce(0) { max($0, abs($1.0 - $1.1)) }
        return .with {
            $0.rowCount = 1
            $0.logitChangeMax = Double(difference)
            $0.divergenceMean = Self.divergence(base, changed)
        }
    }

    private static func lastLogits(
        _ model: LoadedModel, _ input: ModelInput, _ pass: Pass
    ) -> [Float] {
        let hidden = model.model.hidden([input], pass)
        return model.model.decoder.head(
            hidden.gathered(rows: [Int32(input.ids.count - 1)]), pass, as: .float32
        ).floats()
    }

    /// Kullback-Leibler divergence of the next token, in nats.
    private static func divergence(_ base: [Float], _ changed: [Float]) -> Double {
        let (p, q) = (logProbabilities(base), logProbabilities(changed))
        return max(0, zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) })
    }

    private static func logProbabilities(_ logits: [Float]) -> [Double] {
        let largest = Double(logits.max() ?? 0)
        let sum = logits.reduce(0.0) { $0 + exp(Double($1) - largest) }
        return logits.map { Double($0) - largest - log(sum) }
    }

    /// The folder, if it lies below one that the operator allows.
    private func allowed(_ directory: String) throws -> String {
        guard !roots.isEmpty else { throw InferenceError.noAdapterRoot }
        let candidates =
            directory.hasPrefix("/") ? [directory] : roots.map { "\($0)/\(directory)" }
        for candidate in candidates {
            let path = Self.resolved(candidate)
            var isFolder: ObjCBool = false
            let isBelow = roots.contains { path.hasPrefix($0 + "/") }
            guard isBelow, FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
                isFolder.boolValue
            else { continue }
            return path
        }
        throw ResourceError.invalid(
            field: "directory", seen: directory,
            allowed: "a folder below one that serve allows by --adapter-root")
    }

    private static func resolved(_ path: String) -> String {
        URL(filePath: path).resolvingSymlinksInPath().standardizedFileURL.path
    }

    /// The files that make an adapter, sorted.
    private static func files(of folder: String) throws -> [String] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { name in
            name == AdapterFiles.config || name == AdapterFiles.provenance
                || name.hasPrefix(AdapterFiles.stem)
                    && (name.hasSuffix(".safetensors") || name.hasSuffix(".json"))
        }
        .sorted()
        guard names.contains(AdapterFiles.config),
            names.contains(where: { $0.hasSuffix(".safetensors") })
        else {
            throw InferenceError.adapterInvalid(
                why: "the folder must hold \(AdapterFiles.config) and \(AdapterFiles.tensors)")
        }
        guard names.count <= InferenceLimits.adapterFilesMax else {
            throw InferenceError.adapterInvalid(
                why: "\(names.count) files; at most \(InferenceLimits.adapterFilesMax) are allowed")
        }
        return names
    }
}
