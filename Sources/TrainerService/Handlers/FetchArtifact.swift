import Base
import Digests
import Glibc
import Messages
import RPC
import Resources
import Storage
import Training

/// `FetchArtifact`: the files of a result, each as header, chunks and trailer.
struct FetchArtifact: Sendable {
    private let request: FetchArtifactRequest
    private let artifact: ArtifactFiles
    private let summary: ArtifactSummary

    init(_ request: FetchArtifactRequest, _ registry: ModelRegistry) async throws {
        self.request = request
        let (artifact, lineage) = try await Self.find(request, registry)
        self.artifact = artifact
        summary = artifact.summary(named: request.name, lineage)
        let paths = artifact.files.map(\.path)
        guard request.resumePath.isEmpty || paths.contains(request.resumePath) else {
            throw ResourceError.invalid(
                field: "resume_path", seen: request.resumePath,
                allowed: "one of \(paths.joined(separator: ", ")) is allowed")
        }
    }

    private static func find(
        _ request: FetchArtifactRequest, _ registry: ModelRegistry
    ) async throws -> (ArtifactFiles, Lineage?) {
        let store = registry.store
        if request.name.hasPrefix("models/") {
            let model = try await registry.model(ModelName(request.name, field: "name"))
            return (try ArtifactFiles(folder: model.folder, kind: .model), model.message.lineage)
        }
        if request.name.contains("/artifacts/") {
            let path = try ResourcePath(
                request.name, field: "name", form: "jobs/{job}/artifacts/{artifact}")
            let job = try await store.reader.read { db in
                try db.job(JobName(id: path.parts[0]))
            }
            guard let known = job.stored.artifacts.first(where: { $0.name == request.name }) else {
                throw ResourceError.notFound(
                    type: "fovea.trainer.v1.ArtifactSummary", name: request.name)
            }
            var own = "\(store.folder(of: job.name))/artifacts/\(path.parts[1])"
            if let checkpoint = known.lineage?.checkpoint, !checkpoint.isEmpty {
                own = try folder(of: CheckpointName(checkpoint, field: "name"), store)
            }
            let files = try ArtifactFiles(folder: own, kind: known.kind)
            let seen = files.summary(named: known.name, nil).contentSha256
            guard seen == known.contentSha256 else {
                throw TrainerError.digestMismatch(
                    what: request.name, expected: known.contentSha256, seen: seen)
            }
            return (files, known.lineage)
        }
        let name = try CheckpointName(request.name, field: "name")
        let job = try await store.reader.read { db in try db.job(name.job) }
        let isState = request.includeTrainingState
        let kind: ArtifactKind = isState ? .checkpoint : job.stored.spec?.resultKind ?? .adapter
        let files = try ArtifactFiles(
            folder: try folder(of: name, store), kind: kind, includesState: isState)
        return (files, job.stored.lineage)
    }

    private static func folder(
        of name: CheckpointName, _ store: TrainerStore
    ) throws(ResourceError) -> String {
        let checkpoints = CheckpointStore("\(store.folder(of: name.job))/checkpoints")
        guard let path = checkpoints.path(of: name.id) else {
            throw .notFound(type: "fovea.trainer.v1.Checkpoint", name: "\(name)")
        }
        return path
    }

    func run(to responses: ResponseWriter<FetchArtifactResponse>) async throws {
        try await responses.write(.with { $0.part = .summary(summary) })
        var isSent = !request.resumePath.isEmpty
        for file in artifact.files where file.path.hasPrefix(request.pathPrefix) {
            let isResumed = file.path == request.resumePath
            isSent = isSent && !isResumed
            guard !isSent else { continue }
            let start = isResumed ? request.resumeOffsetBytes : 0
            guard start <= file.sizeBytes else {
                throw ResourceError.invalid(
                    field: "resume_offset_bytes", seen: "\(start)",
                    allowed: "0 to \(file.sizeBytes), the size of \(file.path), is allowed")
            }
            try await send(file, from: start, responses)
        }
    }

    private func send(
        _ file: ModelFile, from start: UInt64, _ responses: ResponseWriter<FetchArtifactResponse>
    ) async throws {
        var header = FileHeader()
        (header.path, header.sizeBytes) = (file.path, file.sizeBytes)
        header.contentSha256 = file.contentSha256
        header.mediaType =
            file.path.hasSuffix(".json") ? "application/json" : "application/octet-stream"
        try await responses.write(.with { $0.part = .header(header) })
        let descriptor = open("\(artifact.folder)/\(file.path)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            // Checkpoints are removed when newer ones take their place.
            throw ResourceError.notFound(
                type: "fovea.trainer.v1.ArtifactSummary", name: request.name)
        }
        defer { close(descriptor) }
        var offset = start
        while offset < file.sizeBytes {
            let count = Int(min(UInt64(TrainerLimits.chunkBytes), file.sizeBytes - offset))
            let bytes = try Bytes(count: count) { target throws(RowPackError) in
                guard pread(descriptor, target.baseAddress, count, off_t(offset)) == count else {
                    throw .unreadable(SystemError.last)
                }
            }
            var chunk = FileChunk()
            (chunk.offsetBytes, chunk.content) = (offset, bytes)
            try await responses.write(.with { $0.part = .chunk(chunk) })
            offset += UInt64(count)
        }
        var trailer = FileTrailer()
        (trailer.sizeBytes, trailer.contentSha256) = (file.sizeBytes, file.contentSha256)
        try await responses.write(.with { $0.part = .trailer(trailer) })
    }
}

extension JobSpec {
    /// What a job of this kind leaves.
    fileprivate var resultKind: ArtifactKind {
        if case .train(let spec)? = work, spec.method == .full { return .model }
        return .adapter
    }
}
