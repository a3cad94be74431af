import Base
import Messages
import Resources
import Storage

/// A dataset as the catalogue has it.
struct DatasetRecord: Sendable {
    let id: Int64
    let name: DatasetName
    let changeCount: Int
    let createNanoseconds: Int64
    let updateNanoseconds: Int64
    let exampleCount: Int
    /// As put by people; without what the server fills in.
    var stored: Dataset

    static let columns =
        "id, name, change_count, create_ns, update_ns, example_count, message"

    init(_ row: Row) throws {
        id = row.int64(0)
        name = DatasetName(id: row.text(1))
        changeCount = row.int(2)
        (createNanoseconds, updateNanoseconds) = (row.int64(3), row.int64(4))
        exampleCount = row.int(5)
        stored = try Dataset(decoding: row.blob(6))
    }

    var etag: String { "\(id)-\(changeCount)" }

    /// The whole resource.
    func message(_ db: Connection) throws -> Dataset {
        var message = stored
        message.name = name.description
        message.etag = etag
        message.createTime = .init(nanoseconds: createNanoseconds)
        message.updateTime = .init(nanoseconds: updateNanoseconds)
        message.exampleCount = UInt64(exampleCount)
        let key = SQLValue.integer(id)
        if let (count, size) = try db.first(
            """
            SELECT count(*), coalesce(sum(size_bytes), 0)
            FROM dataset_images JOIN images ON images.id = image_id WHERE dataset_id = ?
            """, key, as: { ($0.int(0), $0.int(1)) })
        {
            (message.imageCount, message.storedBytes) = (UInt64(count), UInt64(size))
        }
        let number = try db.first(
            "SELECT max(number) FROM versions WHERE dataset_id = ? AND state = ?", key,
            SQLValue(Int(VersionState.succeeded.rawValue))
        ) { $0.int(0) }
        if let number, number > 0 {
            message.latestVersion = VersionName(dataset: name.id, number: number).description
        }
        return message
    }
}

extension Connection {
    /// The dataset of this name.
    func dataset(_ name: DatasetName) throws -> DatasetRecord {
        let found = try datasets("WHERE name = ?", .text(name.id)).first
        guard let found else {
            throw DatasetError.notFound(type: "fovea.dataset.v1.Dataset", name: "\(name)")
        }
        return found
    }

    /// The datasets that a condition in SQL chooses.
    func datasets(_ condition: String, _ values: SQLValue...) throws -> [DatasetRecord] {
        var found: [Result<DatasetRecord, any Error>] = []
        try each("SELECT \(DatasetRecord.columns) FROM datasets \(condition)", values) { row in
            found.append(Result { try DatasetRecord(row) })
            return true
        }
        return try found.map { try $0.get() }
    }
}
