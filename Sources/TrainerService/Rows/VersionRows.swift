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
    private let library: RowLibrary
    private let train, validation: RowPack
    /// The train rows of each epoch as the policy changes them; nil for rows as they are.
    private let augmented: AugmentedRows?

    init(
        _ version: DatasetVersion, _ library: RowLibrary, train: RowPack, validation: RowPack,
        augmented: AugmentedRows? = nil
    ) {
        (self.version, self.library, self.augmented) = (version, library, augmented)
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
        let draw = split == .train ? augmented?.draw(epoch) : nil
        let pack =
            try draw.flatMap { (draw) throws(RowFault) in
                try augmented?.pack(draw)
            } ?? pack(split)
        let row = try whole(index, split, pack, draw)
        let conversation = try Conversation(row)
        return TrainingRow(
            id: row.example, messages: conversation.messages,
            images: conversation.images.map(\.content))
    }

    /// The row with its images, as it is in the version.
    func whole(_ index: Int, of split: RowSplit) throws(RowFault) -> StreamedExample {
        try whole(index, split, pack(split), nil)
    }

    private func whole(
        _ index: Int, _ split: RowSplit, _ pack: RowPack, _ draw: RowLibrary.Draw?
    ) throws(RowFault) -> StreamedExample {
        let row = try Self.row(index, of: pack)
        guard row.images.contains(where: \.content.isEmpty) else { return row }
        return try fetched(index, split, pack, draw)
    }

    /// The row as the dataset service sent it.
    func stored(_ index: Int, _ split: RowSplit) throws(RowFault) -> StreamedExample {
        try Self.row(index, of: pack(split))
    }

    private static func row(_ index: Int, of pack: RowPack) throws(RowFault) -> StreamedExample {
        guard index < pack.count else {
            throw .unreadable(
                row: "\(index)", why: "it was erased while the job ran; start another job")
        }
        let response: StreamExamplesResponse
        do { response = try pack.row(index) } catch {
            throw .unreadable(row: "\(index)", why: "\(error)")
        }
        guard case .example(let row)? = response.part else {
            throw .unreadable(row: "\(index)", why: "the cache of rows is damaged")
        }
        return row
    }

    private func pack(_ split: RowSplit) -> RowPack { split == .train ? train : validation }

    /// Asks the dataset service for one row. Called on a thread that may wait.
    private func fetched(
        _ index: Int, _ split: RowSplit, _ pack: RowPack, _ draw: RowLibrary.Draw?
    ) throws(RowFault) -> StreamedExample {
        let (library, version) = (library, version)
        return try Awaited.value(of: "\(index)") {
            try await library.single(
                after: index > 0 ? try pack.row(index - 1).cursor : nil,
                of: split == .train ? .train : .validation, version, drawn: draw)
        }
    }
}

/// Waits on a thread of rows for what is awaited.
enum Awaited {
    /// - Parameter row: named where it fails
    static func value<R: Sendable>(
        of row: String, _ body: @escaping @Sendable () async throws -> R
    ) throws(RowFault) -> R {
        let result = Lock<Result<R, any Error>?>(nil)
        let done = DispatchSemaphore(value: 0)
        Task {
            let answer: Result<R, any Error>
            do { answer = .success(try await body()) } catch { answer = .failure(error) }
            result.with { $0 = answer }
            done.signal()
        }
        done.wait()
        switch result.with({ $0 }) {
        case .success(let value)?: return value
        case .failure(let error as TrainerError)? where error.isOutage:
            throw .unavailable(why: error.message)
        case .failure(let error)?: throw .unreadable(row: row, why: "\(error)")
        case nil: throw .unavailable(why: "nothing came")
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
            var message = ChatMessage(try Self.role(turn.role, row), parts)
            if message.role == .assistant { message.lossWeight = Float(turn.lossWeight ?? 1) }
            messages.append(message)
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
