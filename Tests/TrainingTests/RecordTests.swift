import Base
import Digests
import Foundation
import Images
import Testing
import Text

@testable import Training

/// What is recorded of a run.
struct RecordTests {
    /// The examples of RFC 3720, appendix B.4.
    @Test func checksumsAreThoseOfTheStandard() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(Array(0..<32)) == 0x46DD_794E)
    }

    /// Bytes that the writer of PyPI's tensorboard 2.21.0 made of the same event.
    @Test func aRecordIsThatOfTensorBoardsOwnWriter() throws {
        let folder = try TrainingFolder()
        let log = try EventLog(in: folder.path, at: 12.5)
        let entry = LogEntry(step: 3, epoch: 0.5, [.init("loss", 0.25)])
        try log.write(entry, at: 13.5)
        let name = try #require(folder.names.first)
        #expect(name == "events.out.tfevents.0000000012.fovea.0")
        let bytes = try Data(contentsOf: URL(filePath: "\(folder.path)/\(name)"))
        #expect(Array(bytes) == Self.expected)
    }

    @Test func tagsAreThoseOfTransformers() {
        #expect(EventLog.tag(of: "loss") == "train/loss")
        #expect(EventLog.tag(of: "learning_rate") == "train/learning_rate")
        #expect(EventLog.tag(of: "grad_norm") == "train/grad_norm")
        #expect(EventLog.tag(of: "eval_loss") == "eval/loss")
        #expect(EventLog.tag(of: "eval_runtime") == "eval/runtime")
    }

    @Test func filesOfTheSameSecondDoNotReplaceEachOther() throws {
        let folder = try TrainingFolder()
        _ = try EventLog(in: folder.path, at: 12)
        _ = try EventLog(in: folder.path, at: 12.9, from: 4)
        #expect(folder.names.count == 2)
        #expect(throws: EventLogError.self) {
            _ = try EventLog(in: "\(folder.path)/none", at: 12)
        }
    }

    @Test func numbersThatAreNoneAreNotLogged() {
        let entry = LogEntry(step: 1, epoch: 1, [.init("loss", .nan), .init("grad_norm", 2)])
        #expect(entry.values.map(\.name) == ["grad_norm"])
    }

    @Test func aHistoryReadsBackWithTheSameBits() throws {
        var state = TrainerState()
        state.history = (1...50).map { step in
            LogEntry(
                step: step, epoch: Double(step) / 3,
                [.init("loss", 1 / Double(step * 7)), .init("learning_rate", 1e-4 / Double(step))])
        }
        let root = try JSONDocument(state.json()).root
        #expect(TrainerState.history(of: root) == state.history)
    }

    private static let expected = Hexadecimal.bytes(
        "1800000000000000a37f4b220900000000000029401a0d627261696e2e4576656e743a326394a44f"
            + "34000000000000005e33175c090000000000002b4010032a270a110a0a747261696e2f6c6f737315"
            + "0000803e0a120a0b747261696e2f65706f6368150000003fe4217708")
}
