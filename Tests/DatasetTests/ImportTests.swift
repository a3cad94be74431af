import Base
import Foundation
import Glibc
import Images
import Messages
import Operation
import RPC
import Testing

@testable import DatasetService

/// Reads files of each form, and what an export writes.
struct ImportTests {
    private final class Folder {
        let path = NSTemporaryDirectory() + "fovea-import-\(UUID().uuidString.prefix(8))"

        init() throws {
            for name in ["", "/images", "/cat", "/dog"] {
                try FileManager.default.createDirectory(
                    atPath: path + name, withIntermediateDirectories: true)
            }
            for (number, name) in ["images/a", "images/b", "cat/c", "dog/d"].enumerated() {
                let png = try Pets.image(number).png()
                try png.withUnsafeBytes { Data($0) }
                    .write(to: URL(fileURLWithPath: "\(path)/\(name).png"))
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ name: String, _ text: String) throws -> String {
            let file = "\(path)/\(name)"
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            return file
        }
    }

    private func rows(_ path: String, _ format: ImportFormat? = nil) async throws -> [SourceRow] {
        let format = try format ?? ImportFormat.detect(path)
        let found = Lock<[SourceRow]>([])
        try await format.rows(of: path, columns: TableColumns(), images: nil)
            .forEach { row in found.with { $0.append(row) } }
        return found.with { $0 }
    }

    static let sources: [(name: String, text: String, format: ImportFormat)] = [
        (
            "llava.json",
            """
            [{"id": "x", "image": "images/a.png", "mood": [1], "conversations": [
              {"from": "human", "value": "<image>\\nWhich?"}, {"from": "gpt", "value": "cat"}]}]
            """, .llava
        ),
        (
            "sharegpt.jsonl",
            #"{"id":"x","images":["images/a.png"],"system":"Be brief.","conversations":"#
                + #"[{"from":"human","value":"<image>Which?"},{"from":"gpt","value":"cat"}]}"#,
            .sharegpt
        ),
        (
            "messages.jsonl",
            #"{"messages":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"#
                + #""Which?"}]},{"role":"assistant","content":"cat"}],"images":["images/a.png"]}"#,
            .messages
        ),
        (
            "openai.jsonl",
            #"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"#
                + #""data:image/png;base64,AAAA"}},{"type":"text","text":"Which?"}]},"#
                + #"{"role":"assistant","content":"cat"}]}"#, .openai
        ),
        (
            "roboflow.jsonl", #"{"image":"images/a.png","prefix":"Which?","suffix":"cat"}"#,
            .roboflow
        ),
        ("rows.csv", "id,image,prompt,answer,site\nx,images/a.png,Which?,cat,\"a,b\"\n", .csv),
        (
            "rows.tsv", "index\timage_path\tquestion\tanswer\n7\timages/a.png\tWhich?\tcat\n",
            .vlmevalkit
        ),
        (
            "tasks.json",
            #"[{"id":1,"data":{"image":"images/a.png","prompt":"Which?"},"annotations":["#
                + #"{"ground_truth":true,"result":[{"value":{"choices":["cat"]}}]},"#
                + #"{"completed_by":3,"lead_time":4,"result":[{"value":{"choices":["dog"]}}]}]}]"#,
            .labelStudio
        ),
    ]

    @Test(arguments: sources.indices)
    func eachFormIsFoundAndRead(index: Int) async throws {
        let source = Self.sources[index]
        let folder = try Folder()
        let path = try folder.write(source.name, source.text)
        #expect(try ImportFormat.detect(path) == source.format)
        let found = try await rows(path)
        let row = try #require(found.first)
        #expect(found.count == 1)
        #expect(row.problem == nil)
        #expect(row.images.count == 1)
        let question = try #require(row.row.turns.first { $0.role == .user })
        #expect(question.parts.contains(.image(0)))
        #expect(question.plainText.contains("Which?"))
        #expect(row.row.turns.last == Turn(.assistant, "cat"))
        #expect((source.format == .sharegpt) == (row.row.turns.first?.role == .system))
        if source.format == .llava { #expect(row.row.passthroughJSON == #"{"mood":[1]}"#) }
        if source.format == .csv { #expect(row.row.attributes == ["site": "a,b"]) }
        if source.format == .labelStudio { #expect(row.row.votes.map(\.answer) == ["dog"]) }
    }

    @Test func foldersAreRead() async throws {
        let folder = try Folder()
        let classes = try await rows(folder.path, .classFolders)
        #expect(classes.map { $0.row.turns.last?.plainText } == ["cat", "dog", "images", "images"])
        _ = try folder.write("images/metadata.csv", "file_name,text\na.png,cat\nb.png,dog\n")
        #expect(try ImportFormat.detect(folder.path) == .imageFolder)
        let listed = try await rows(folder.path)
        #expect(listed.map(\.row.rowID) == ["a.png", "b.png"])
        #expect(listed.allSatisfy { $0.problem == nil })
    }

    @Test func aFolderIsReadByTheListBesideItsImages() throws {
        let folder = try Folder()
        #expect(try ImportFormat.description(folder.path) == folder.path)
        let list = try folder.write("train.json", "[]")
        #expect(try ImportFormat.description(folder.path) == list)
        #expect(try ImportFormat.description(list) == list)
        _ = try folder.write("test.csv", "image,answer\n")
        #expect {
            try ImportFormat.description(folder.path)
        } throws: {
            ($0 as? ImportError)?.message.contains("(test.csv, train.json)") == true
        }
    }

    @Test(arguments: [
        (#"{"image":"../../etc/passwd","conversations":[]}"#, FailureReason.imageNotFound),
        (#"{"image":"https://example.org/a.png","conversations":[]}"#, .imageNotFound),
        (#"{"image":"images/a.png"}"#, .fieldRequired), ("{broken", .fieldInvalid),
        (
            #"{"image":"images/a.png","conversations":[{"from":"cow","value":"moo"}]}"#,
            .turnsInvalid
        ),
    ])
    func aBadRowIsRefusedAndTheNextIsRead(text: String, reason: FailureReason) async throws {
        let folder = try Folder()
        let good =
            #"{"image":"images/a.png","conversations":[{"from":"human","value":"<image>"}]}"#
        let path = try folder.write("rows.jsonl", "\(text)\n\(good)\n")
        let found = try await rows(path, .llava)
        #expect(found.count == 2)
        #expect(found.first?.problem?.problem.reason == reason)
        #expect(found.last?.problem == nil)
    }

    @Test(arguments: ["rows.zip", "rows.json", "rows.csv"])
    func anArchiveIsNotRead(name: String) async throws {
        let folder = try Folder()
        let path = folder.path + "/" + name
        let zip = Array("PK\u{3}\u{4}".utf8) + [UInt8](repeating: 0, count: 100)
        try Data(zip).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: ImportError.self) { try ImportFormat.detect(path) }
        #expect(error?.message.contains("unpack") == true)
    }

    /// A file beyond the limit without an end of line is mapped, counted and refused.
    @Test func aRowWithoutEndIsRefused() async throws {
        let folder = try Folder()
        let path = try folder.write("endless.jsonl", "")
        let size = Limits.recordBytesMax + 1_000
        try #require(truncate(path, size) == 0)
        let rows = try await rows(path, .llava)
        let problem = try #require(rows.first?.problem?.problem)
        #expect(rows.count == 1)
        #expect(problem.reason == .fieldInvalid)
        #expect(problem.seen == "\(size) bytes")
        #expect(problem.allowed == "\(Limits.recordBytesMax) bytes")
    }

    @Test func aQuoteWithoutEndCostsNoMoreThanTheLimit() async throws {
        let folder = try Folder()
        let rows = "a.png,cat\nb.png,\"" + String(repeating: "x\n", count: 100) + "\"\nc.png,dog\n"
        let path = try folder.write("rows.csv", "image,answer\n" + rows)
        let found = Lock<[(Int, Result<[String: String], Rejection>)]>([])
        try await SeparatedRows(path: path, separator: ",", recordBytesMax: 100)
            .forEach { number, values in found.with { $0.append((number, values)) } }
        let all = found.with { $0 }
        #expect(all.map(\.0) == [2, 3, 4])
        #expect(try all[0].1.get()["image"] == "a.png")
        guard case .failure(let rejection) = all[1].1 else {
            Issue.record("the long row was taken")
            return
        }
        #expect(rejection.problem.seen == "209 bytes")
        #expect(rejection.problem.allowed == "100 bytes")
        #expect(try all[2].1.get()["answer"] == "dog")
    }

    @Test func bytesThatAreNoTextAreRefused() async throws {
        let folder = try Folder()
        let path = folder.path + "/bad.jsonl"
        try Data([0x22, 0xff, 0xfe, 0x22, 0x0a]).write(to: URL(fileURLWithPath: path))
        let found = try await rows(path, .llava)
        #expect(found.first?.problem?.problem.reason == .textInvalid)
    }

    /// Writes an export of the newest version below a folder.
    private func export(
        _ harness: DatasetHarness, _ format: ExportFormat, to folder: String
    ) async throws -> ExportSummary? {
        let files = try FileWriter(folder: folder)
        var summary: ExportSummary?
        let responses = try await harness.client.call(
            Datasets.exportVersion,
            .with {
                $0.name = "datasets/pets/versions/latest"
                $0.format = format
            })
        for try await response in responses {
            if case .summary(let found)? = response.part { summary = found }
            try files.take(response.part)
        }
        return summary
    }

    @Test(arguments: ImportFormat.allCases)
    func anExportReadsBackAsTheSameRows(format: ImportFormat) async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        var rows = try Pets.rows(0..<12)
        for index in rows.indices {
            rows[index].turns[0].parts = [.image(0), .text("Which \"animal\",\nplease?")]
            if format == .fovea {
                rows[index].groupValues = ["litter": "\(index)"]
                rows[index].attributes = ["site": "é"]
                rows[index].regions = [.with { ($0.xMaxPixels, $0.yMaxPixels) = (2.5, 3) }]
            }
        }
        try await harness.ingest(rows)
        _ = try await harness.client.call(
            Datasets.freezeVersion, .with { $0.parent = "datasets/pets" })
        let folder = harness.folder + "-export"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let summary = try await export(harness, format.message, to: folder)
        #expect(summary?.exampleCount == 12)
        if format != .classFolders { #expect(summary?.losses == []) }
        let plan = ExportPlan(format: format.message)
        let file = plan.fileName.map { "\(folder)/\($0)" } ?? folder
        let source = format == .imageFolder ? folder : file
        #expect(try ImportFormat.detect(source) == format)
        if format != .fovea { #expect(try ImportFormat.description(folder) == source) }
        let read = try await self.rows(source)
        #expect(read.count == 12)
        for row in read {
            #expect(row.problem == nil)
            let original = rows.first { $0.rowID == row.row.rowID }
            if format == .classFolders { continue }
            #expect(row.row.turns == original?.turns)
            if format == .fovea {
                #expect(row.row.regions == original?.regions)
                #expect(row.row.attributes == original?.attributes)
                #expect(row.row.groupValues == original?.groupValues)
            }
            guard case .content(let sent)? = original?.images.first?.source else { continue }
            #expect(
                try row.images.first.map { try DecodedImage(decoding: $0.bytes()).image }
                    == DecodedImage(decoding: sent).image)
        }
        await harness.close()
    }
}
