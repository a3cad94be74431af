import Base
import Dispatch
import Images
import Messages
import RPC
import Text
import Training

/// The rows of a version as a run reads them: from this disk, or, where the cache has no room for
/// images, from the dataset service.
struct VersionRows: RowSource {
    let version: DatasetVersion
    private let datasets: DatasetClient
    private let train, validation: RowPack

    init(
        _ version: DatasetVersion, _ datasets: DatasetClient, train: RowPack, validation: RowPack
    ) {
        (self.version, self.datasets) = (version, datasets)
        (self.train, self.validation) = (train, validation)
    }

    func count(of split: RowSplit) -> Int { pack(split).count }

    func outline(_ index: Int, of split: RowSplit) throws(RowFault) -> RowOutline {
        let row = try stored(index, split)
        let conversation = try Conversation(row)
        return RowOutline(
            id: row.example, messages: conversation.messages,
            imageSizes: conversation.images.map { image in
                ImageSize(height: Int(image.heightPixels), width: Int(image.widthPixels))
            })
    }

    func row(_ index: Int, of split: RowSplit, epoch: Int) throws(RowFault) -> TrainingRow {
        var row = try stored(index, split)
        if row.images.contains(where: \.content.isEmpty) { row = try fetched(index, split) }
        let conversation = try Conversation(row)
        return TrainingRow(
            id: row.example, messages: conversation.messages,
            images: conversation.images.map(\.content))
    }

    /// The row as the dataset service sent it.
    func stored(_ index: Int, _ split: RowSplit) throws(RowFault) -> StreamedExample {
        let response: StreamExamplesResponse
        do { response = try pack(split).row(index) } catch {
            throw .unreadable(row: "\(index)", why: "\(error)")
        }
        guard case .example(let row)? = response.part else {
            throw .unreadable(row: "\(index)", why: "the cache of rows is damaged")
        }
        return row
    }

    private func pack(_ split: RowSplit) -> RowPack { split == .train ? train : validation }

    /// Asks the dataset service for one row. Called on a thread that may wait.
    private func fetched(_ index: Int, _ split: RowSplit) throws(RowFault) -> StreamedExample {
        var request = StreamExamplesRequest()
        request.version = version.name
        request.split = split == .train ? .train : .validation
        request.rowCountMax = 1
        if index > 0 {
            do { request.cursor = try pack(split).row(index - 1).cursor } catch {
                throw .unreadable(row: "\(index)", why: "\(error)")
            }
        }
        let result = Lock<Result<StreamedExample?, any Error>>(.success(nil))
        let done = DispatchSemaphore(value: 0)
        Task { [datasets, request] in
            let answer = await Self.first(datasets, request)
            result.with { $0 = answer }
            done.signal()
        }
        done.wait()
        switch result.with({ $0 }) {
        case .success(let row?): return row
        case .success(nil): throw .unavailable(why: "the stream ended without the row")
        case .failure(let error as TrainerError) where error.isOutage:
            throw .unavailable(why: error.message)
        case .failure(let error): throw .unreadable(row: "\(index)", why: "\(error)")
        }
    }

    private static func first(
        _ datasets: DatasetClient, _ request: StreamExamplesRequest
    ) async -> Result<StreamedExample?, any Error> {
        do {
            let stream = try await datasets.rows(request)
            defer { stream.cancel() }
            while let response = try await datasets.next(stream) {
                if case .example(let row)? = response.part { return .success(row) }
            }
            return .success(nil)
        } catch {
            return .failure(error)
        }
    }
}

/// A row's turns as templates take them, with its images in the order of their places.
struct Conversation: Sendable {
    let messages: [ChatMessage]
    let images: [StreamedImage]

    init(_ row: StreamedExample) throws(RowFault) {
        var messages: [ChatMessage] = []
        var images: [StreamedImage] = []
        for turn in row.turns {
            var parts: [ChatMessage.Part] = []
            for part in turn.parts {
                switch part.part {
                case .text(let text)?: parts.append(.text(text))
                case .imageIndex(let index)?:
                    guard row.images.indices.contains(Int(index)) else {
                        throw .unreadable(
                            row: row.example,
                            why: "a turn names image \(index) of \(row.images.count)")
                    }
                    images.append(row.images[Int(index)])
                    parts.append(.image)
                case nil: break
                }
            }
            messages.append(ChatMessage(try Self.role(turn.role, row), parts))
        }
        (self.messages, self.images) = (messages, images)
    }

    private static func role(
        _ role: TurnRole, _ row: StreamedExample
    ) throws(RowFault) -> ChatMessage.Role {
        switch role {
        case .system: return .system
        case .user: return .user
        case .assistant: return .assistant
        default: throw .unreadable(row: row.example, why: "a turn has the role \(role)")
        }
    }
}
