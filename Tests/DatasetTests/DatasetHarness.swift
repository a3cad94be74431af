import Base
import Foundation
import Images
import Messages
import RPC
import Storage
import TestSupport

@testable import DatasetService

/// The service on a folder of its own, called in the same process. A second one on the same folder
/// begins where the first ended.
final class DatasetHarness {
    let folder: String
    let catalogue: Catalogue
    let server: Server
    let client: Client

    /// - Parameter checksTokens: tokens such as `ann:annotator` say who calls; else everybody may
    ///   do everything
    init(
        folder: String? = nil, checksTokens: Bool = false,
        clock: @escaping @Sendable () -> Int64 = { WallClock.nanoseconds() }
    ) throws {
        self.folder =
            folder ?? NSTemporaryDirectory() + "fovea-dataset-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: self.folder, withIntermediateDirectories: true)
        catalogue = try Catalogue(folder: self.folder, clock: clock)
        server = Server(
            router: DatasetServer.router(catalogue, threads: 2),
            authenticator: checksTokens ? NamedTokens() : nil,
            encodeDetails: { error in
                StatusDetails.encode(
                    code: Int32(error.code.rawValue), message: error.message,
                    reason: error.reason, domain: "fovea", facts: error.facts,
                    details: error.details)
            })
        var configuration = ClientConfiguration()
        if checksTokens { configuration.token = "root:admin" }
        client = try server.connectInProcess(configuration)
    }

    /// A client of somebody else.
    func client(of name: String, _ role: Role) throws -> Client {
        var configuration = ClientConfiguration()
        configuration.token = "\(name):\(role.rawValue)"
        return try server.connectInProcess(configuration)
    }

    func close(keepsFolder: Bool = false) async {
        await client.close()
        await server.drain(graceSeconds: 0)
        if !keepsFolder { try? FileManager.default.removeItem(atPath: folder) }
    }

    /// A classification of cats and dogs.
    func createPets(_ change: (inout Dataset) -> Void = { _ in }) async throws {
        var request = CreateDatasetRequest()
        request.datasetID = "pets"
        var dataset = Dataset()
        dataset.task = .classification
        var schema = AnswerSchema()
        schema.classes = ["cat", "dog"].map { name in
            var item = AnswerClass()
            item.name = name
            return item
        }
        dataset.answerSchema = schema
        dataset.groupKeys = ["litter"]
        change(&dataset)
        request.dataset = dataset
        _ = try await client.call(Datasets.createDataset, request)
    }

    /// Uploads rows with a header that `change` may alter.
    @discardableResult
    func ingest(
        _ rows: [IngestRow], uploads: [ImageUpload] = [],
        _ change: @Sendable (inout IngestHeader) -> Void = { _ in }
    ) async throws -> IngestExamplesResponse {
        try await client.call(Datasets.ingestExamples) { requests in
            var header = IngestHeader()
            header.parent = "datasets/pets"
            change(&header)
            try await requests.write(Self.request(.header(header)))
            for upload in uploads { try await requests.write(Self.request(.image(upload))) }
            for row in rows { try await requests.write(Self.request(.row(row))) }
        }
    }

    static func request(_ part: IngestExamplesRequest.Part) -> IngestExamplesRequest {
        var request = IngestExamplesRequest()
        request.part = part
        return request
    }
}

/// Tokens that say themselves who sends them.
private struct NamedTokens: Authenticator {
    func authenticate(authorization: String?, peer: Peer) throws(RPCError) -> Principal {
        let words = (authorization ?? "").split(separator: " ").last?.split(separator: ":") ?? []
        guard words.count == 2, let role = Role(rawValue: String(words[1])) else {
            throw RPCError(.unauthenticated, "a token such as ann:annotator is needed")
        }
        return Principal(name: String(words[0]), role: role)
    }
}

/// Rows and images for tests.
enum Pets {
    /// A PNG of noise: different for each seed, never near another.
    static func image(_ seed: Int, width: Int = 32, height: Int = 24) throws -> RGBImage {
        var random = SeededRandom(seed: UInt64(seed))
        let pixels = (0..<(width * height * 3)).map { _ in UInt8(truncatingIfNeeded: random.next())
        }
        guard let image = RGBImage(width: width, height: height, pixels: pixels) else {
            throw ImageError.badSize(width: width, height: height)
        }
        return image
    }

    /// A row with one image, a question and an answer; none where the answer is nil.
    static func row(
        _ id: String, image: Bytes, answer: String? = "cat", litter: String? = nil
    ) -> IngestRow {
        var row = IngestRow()
        row.rowID = id
        var source = RowImage()
        source.source = .content(image)
        source.displayName = "\(id).png"
        row.images = [source]
        var question = Turn()
        question.role = .user
        question.parts = [.image(0), .text("Which animal?")]
        row.turns = [question]
        if let answer { row.turns.append(Turn(.assistant, answer)) }
        if let litter { row.groupValues["litter"] = litter }
        return row
    }

    /// So many decided rows with different images, cats and dogs in turn.
    static func rows(_ range: Range<Int>) throws -> [IngestRow] {
        try range.map { number in
            row(
                "r\(number)", image: try image(number).png(level: 1),
                answer: number.isMultiple(of: 2) ? "cat" : "dog")
        }
    }
}

extension RPCError {
    /// The reason that the server gave.
    var toldReason: String? {
        encodedDetails.flatMap { try? StatusDetails.decode($0) }?.reason
    }
}
