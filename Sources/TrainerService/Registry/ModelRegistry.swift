import Base
import Glibc
import Messages
import Resources
import Storage

/// The models of the service.
struct ModelRegistry: Sendable {
    let store: TrainerStore
    /// Folders below which models may be; relative directories are below the first.
    let roots: [String]
    private let reader = ModelReader()
    private let shapes = Lock<[(name: ModelName, shape: ModelShape)]>([])
    /// Shapes kept: each holds a tokenizer.
    private static let shapesMax = 4

    init(store: TrainerStore, roots: [String]) { (self.store, self.roots) = (store, roots) }

    /// `RegisterModel`.
    func register(_ request: RegisterModelRequest) async throws -> RegisteredModel {
        try FieldRules.size(
            "display_name", request.displayName, ResourceLimits.displayNameBytesMax)
        try FieldRules.labels("labels", request.labels)
        let folder = try ModelFolder(request.directory, below: roots)
        let id = request.modelID.isEmpty ? Self.id(from: folder.name) : request.modelID
        guard ModelName.isValid(id) else {
            throw ResourceError.invalid(
                field: "model_id", seen: id, allowed: "[a-z][a-z0-9.-]{0,62} is allowed")
        }
        var read = try await reader.read(folder, expecting: request.expectedSha256)
        (read.displayName, read.labels) = (request.displayName, request.labels)
        let (model, now) = (read, store.clock())
        let insert: @Sendable (Connection) throws -> RegisteredModel = { db in
            try db.insert(model, named: ModelName(id: id), folder: folder.path, at: now)
        }
        if request.validateOnly { return try await store.writer.undone(insert) }
        return try await store.writer.once(request.requestID, request, now: now, insert)
    }

    /// Registers a model that a job made.
    func adopt(_ folder: String, as name: ModelName, _ lineage: Lineage) async throws {
        let folder = ModelFolder(registered: folder)
        var read = try await reader.read(folder, expecting: "")
        read.lineage = lineage
        let (model, now) = (read, store.clock())
        _ = try await store.writer.write { db in
            try db.insert(model, named: name, folder: folder.path, at: now)
        }
    }

    /// A name made of a folder's.
    private static func id(from name: String) -> String {
        let plain = name.lowercased().map { letter in
            letter.isASCII && (letter.isLetter || letter.isNumber || letter == "." || letter == "-")
                ? letter : "-"
        }
        let start = plain.drop { !$0.isLetter }
        return start.isEmpty ? ResourceID.new("m") : String(start.prefix(63))
    }

    /// `GetModel`.
    func get(_ request: GetModelRequest) async throws -> RegisteredModel {
        let name = try ModelName(request.name, field: "name")
        return try await store.reader.read { db in try db.model(name).message }
    }

    /// The model with its folder, checked not to have changed in size since it was registered.
    func model(_ name: ModelName) async throws -> ModelRecord {
        let record = try await store.reader.read { db in try db.model(name) }
        try record.checkFiles()
        return record
    }

    /// A model without its numbers.
    func shape(of record: ModelRecord) throws(TrainerError) -> ModelShape {
        let known = shapes.with { shapes in shapes.first { $0.name == record.name }?.shape }
        if let known { return known }
        let shape = try ModelShape(ModelFolder(registered: record.folder))
        shapes.with { shapes in
            shapes.append((record.name, shape))
            if shapes.count > Self.shapesMax { shapes.removeFirst() }
        }
        return shape
    }
}

/// A model as the store has it.
struct ModelRecord: Sendable {
    let id: Int64
    let name: ModelName
    let folder: String
    let createNanoseconds: Int64
    private let stored: RegisteredModel

    init(_ row: Row) throws {
        id = row.int64(0)
        (name, folder) = (ModelName(id: row.text(1)), row.text(2))
        stored = try RegisteredModel(decoding: row.blob(3))
        createNanoseconds = row.int64(4)
    }

    /// The whole resource.
    var message: RegisteredModel {
        var message = stored
        message.name = "\(name)"
        message.createTime = .init(nanoseconds: createNanoseconds)
        return message
    }

    /// Throws if a file is gone or has another size: a model never changes under its name.
    func checkFiles() throws(TrainerError) {
        for file in stored.files {
            var state = stat()
            guard stat("\(folder)/\(file.path)", &state) == 0,
                UInt64(clamping: state.st_size) == file.sizeBytes
            else {
                throw .digestMismatch(
                    what: "\(file.path) of \(name)", expected: "\(file.sizeBytes) bytes",
                    seen: "another size")
            }
        }
    }
}

extension Connection {
    /// The model of this name.
    func model(_ name: ModelName) throws -> ModelRecord {
        guard let found = try models("WHERE name = ?", .text(name.id)).first else {
            throw ResourceError.notFound(
                type: "fovea.trainer.v1.RegisteredModel", name: "\(name)")
        }
        return found
    }

    /// The models that a condition in SQL chooses.
    func models(_ condition: String, _ values: SQLValue...) throws -> [ModelRecord] {
        var found: [Result<ModelRecord, any Error>] = []
        try each("SELECT id, name, folder, message, create_ns FROM models \(condition)", values) {
            row in
            found.append(Result { try ModelRecord(row) })
            return true
        }
        return try found.map { try $0.get() }
    }

    /// Writes a model; its name must be free.
    func insert(
        _ model: RegisteredModel, named name: ModelName, folder: String, at now: Int64
    ) throws -> RegisteredModel {
        guard try models("WHERE name = ?", .text(name.id)).isEmpty else {
            throw ResourceError.exists(name: "\(name)")
        }
        try run(
            "INSERT INTO models(name, folder, message, create_ns) VALUES(?, ?, ?, ?)",
            .text(name.id), .text(folder), .blob(try model.encoded()), .integer(now))
        return try self.model(name).message
    }
}
