import Base
import Foundation
import Messages
import RPC
import TestSupport
import Testing
import Text

@testable import DatasetService
@testable import Operation

/// The verbs of annotation against a server on a socket.
struct AnnotationVerbTests {
    private final class Shell {
        let harness: DatasetHarness
        let folder: String

        init() throws {
            harness = try DatasetHarness()
            folder = harness.folder
            _ = try harness.server.listen(on: .unix(path: "\(folder)/s.sock"))
        }

        /// Runs a verb; returns what it printed, or what it complained about.
        func run(_ arguments: String...) async throws -> (ok: Bool, output: String) {
            try await run(arguments)
        }

        /// Runs a verb with `--json`; returns its objects.
        func json(_ arguments: String...) async throws -> [JSONNode] {
            let result = try await run(arguments + ["--json"])
            #expect(result.ok, "\(result.output)")
            return try result.output.split(separator: "\n").map {
                try JSONDocument($0.utf8).root
            }
        }

        private func run(_ arguments: [String]) async throws -> (ok: Bool, output: String) {
            let (printed, complained) = (Lock(""), Lock(""))
            let outcome = await ServiceMain.run(
                DatasetServer.definition,
                arguments: arguments + ["--server", "unix:\(folder)/s.sock"], environment: [:],
                console: Console(
                    output: { text in printed.with { $0 += text } },
                    complain: { text in complained.with { $0 += text + "\n" } },
                    isErrorTerminal: false))
            let isFine = outcome == .success
            return (isFine, (isFine ? printed : complained).with { $0 })
        }

        func write(_ name: String, _ text: String) throws -> String {
            let path = "\(folder)/\(name)"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }
    }

    @Test func aTeamLabelsComparesAndDecidesFromTheShell() async throws {
        let shell = try Shell()
        try await shell.harness.createPets { $0.annotatorsPerRow = 2 }
        try await shell.harness.ingestOpen(["a", "b"])
        for (person, answers) in [("ann", ["cat", "dog"]), ("bob", ["dog", "dog"])] {
            let tasks = try await shell.json(
                "annotate", "pets", "--annotator", person, "--images", "\(shell.folder)/todo")
            #expect(tasks.map { $0["row"]?.string } == ["a", "b"])
            let image = try #require(tasks[0]["images"]?.elements.map { $0 }.first?.string)
            #expect(FileManager.default.fileExists(atPath: image))
            let lines = zip(tasks, answers).map { task, answer in
                let (name, lease) = (task["task"]?.string ?? "", task["lease"]?.string ?? "")
                return #"{"task":"\#(name)","lease":"\#(lease)","answer":"\#(answer)"}"#
            }
            let file = try shell.write("\(person).jsonl", lines.joined(separator: "\n") + "\n")
            let sent = try await shell.json("annotate", "pets", "--submit", file)
            #expect(sent.first?["stored"]?.int == 2)
            let again = try await shell.json("annotate", "pets", "--submit", file)
            #expect(again.first?["known"]?.int == 2, "a file can be sent twice")
        }
        let open = try await shell.json("disagreements", "pets")
        #expect(open.map { $0["row"]?.string } == ["datasets/pets/examples/a"])
        #expect(open.first?["votes"]?.count == 2)
        let agreement = try await shell.json("agreement", "pets")
        #expect(agreement.first?["complete"]?.int == 2)
        let decided = try await shell.json(
            "adjudicate", "pets", "a", "--answer", "dog", "--reason", "Ears hang.", "--promote",
            "ears", "--dissenter", "ann")
        #expect(decided.first?["state"]?.string == "decided")
        #expect(decided.first?["rows_to_review"]?.int == 1)
        let guidelines = try await shell.json("guidelines", "pets")
        let rule = guidelines.first?["rules"]?.elements.map { $0 }.first
        #expect(rule?["id"]?.string == "ears")
        #expect(rule?["text"]?.string == "Ears hang.")
        #expect(try await shell.json("disagreements", "pets").isEmpty)
        await shell.harness.close()
    }

    @Test func tablesAreForPeopleAndRefusalsAreLines() async throws {
        let shell = try Shell()
        try await shell.harness.createPets { $0.annotatorsPerRow = 2 }
        try await shell.harness.ingestOpen(["a"])
        let rules = try shell.write(
            "rules.json", #"{"vocabulary":[{"term":"cat","discouraged":["kitty"]}]}"#)
        let text = try shell.write("rules.md", "# Pets\n")
        let put = try await shell.run(
            "guidelines", "pets", "--rules", rules, "--markdown", text, "--note", "First.")
        #expect(put.ok && put.output.contains("datasets/pets/guidelines/1"))
        #expect(try await shell.run("guidelines", "pets").output.contains("cat, not kitty"))
        let peek = try await shell.run("annotate", "pets", "--annotator", "ann", "--peek")
        #expect(peek.ok && peek.output.contains("Which animal?"))
        let task = try #require(try await shell.harness.tasks("ann").tasks.first)
        let bad = try shell.write(
            "bad.jsonl",
            """
            {"task":"\(task.name)","lease":"\(task.lease)","answer":"kitty"}
            {"task":"datasets/others/annotationTasks/1","lease":"x","answer":"cat"}

            """)
        let sent = try await shell.run("annotate", "pets", "--submit", bad)
        #expect(!sent.ok)
        #expect(sent.output.contains("answer 1:") && sent.output.contains("answer 2:"))
        let early = try await shell.run("agreement", "pets")
        #expect(!early.ok && early.output.contains("2 or more are needed"))
        for person in ["ann", "bob"] {
            try await shell.harness.vote(person) { _ in person == "ann" ? "cat" : "dog" }
        }
        let table = try await shell.run("agreement", "pets")
        #expect(table.ok && table.output.contains("PREVALENCE"))
        let rows = try await shell.run("disagreements", "pets")
        #expect(rows.output.contains("ann=cat | bob=dog"))
        let silent = try await shell.run("adjudicate", "pets", "a", "--answer", "cat")
        #expect(!silent.ok && silent.output.contains("--reason"))
        await shell.harness.close()
    }
}
