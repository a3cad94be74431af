import Testing

/// Each rule finds what it is there to find, and only that.
@Suite struct RuleTests {
    private func swift(_ text: String, at path: String = "Sources/Shared/Base/A.swift")
        -> SwiftSource
    {
        SwiftSource(SourceFile(path, text))
    }

    private func lines(_ findings: [Finding]) -> [Int] { findings.map(\.line) }

    @Test func trapsAreFoundInCodeOnly() {
        let source = swift(
            """
            let a = try! b()
            let c = d as! E  // a comment may say try! and fatalError(
            let f = "as! in a string, \\(g as! H) in its code"
            fatalError("no")
            let ok = try? i() as? J
            """)
        #expect(lines(SwiftRules.traps(source)) == [1, 2, 3, 4])
    }

    @Test func stringsOfEveryKindAreSkipped() {
        let source = swift(
            ##"""
            let a = #"try! \(try! b) "quoted" \#(c as! D)"#
            let e = """
                try! "as!" \(f as! G)
                """
            let h = "\"try! \\"
            i = try! j
            """##)
        #expect(lines(SwiftRules.traps(source)) == [1, 3, 6])
    }

    @Test func promisesNeedAComment() {
        let source = swift(
            """
            final class A: @unchecked Sendable {}




            /// Set once before any thread starts.
            nonisolated(unsafe) var b = 1
            """)
        #expect(lines(SwiftRules.unexplainedPromises(source)) == [1])
    }

    @Test(arguments: ["func a() {", "init() {", "var a: Int {", "subscript(a: Int) -> Int {"])
    func longBodiesAreFound(opening: String) {
        func source(_ count: Int) -> SwiftSource {
            let body = String(repeating: "    b { c }\n", count: count - 2)
            return swift("struct D {\n\(opening)\n\(body)}\n}\n")
        }
        #expect(SwiftRules.longFunctions(source(70)).isEmpty)
        #expect(lines(SwiftRules.longFunctions(source(71))) == [2])
    }

    @Test func requirementsHaveNoBody() {
        let source = swift(
            """
            protocol A {
                func b() async throws -> C
                init(d: E)
                var f: Int { get }
            }
            struct G {\(String(repeating: "\n", count: 80))}
            """)
        #expect(SwiftRules.longFunctions(source).isEmpty)
    }

    @Test func longFunctionsOfOtherLanguagesAreFound() {
        let filler = String(repeating: "    a\n", count: 69)
        for (path, text) in [
            ("a.c", "int b(void) {\n\(filler)}\n"),
            ("a.sh", "b() {\n\(filler)}\n"),
            ("a.py", "def b(c):\n    a\n\(filler)\nd\n"),
        ] {
            #expect(lines(OtherLanguageRules.longFunctions(SourceFile(path, text))) == [1])
            let shorter = SourceFile(path, text.replacing("    a\n    a\n", with: "    a\n"))
            #expect(OtherLanguageRules.longFunctions(shorter).isEmpty)
        }
    }

    @Test func parametersAreCounted() {
        let source = swift(
            """
            func a(b: Int, c: Int, d: [E: F] = [:], _ g: (H) -> I, j: Int, k: Int) {}
            func b(b: Int, c: Int, d: Int, e: Int, f: Int, g: Int, h: Int) {}
            """)
        #expect(lines(SwiftRules.longParameterLists(source)) == [2])
    }

    @Test func emptyNamesAreFound() {
        let source = swift(
            """
            struct SessionManager {}
            enum URLUtils {}
            struct Metadata {}
            struct HTTPDataFrame {}
            func processFrame() {}
            func processorCount() {}
            func handle() {}
            func makeHelper() {}
            func info() {}
            """)
        #expect(lines(SwiftRules.emptyNames(source)) == [1, 2, 5, 7, 8])
        #expect(SwiftRules.words(of: "readHTTPHeaders") == ["read", "HTTP", "Headers"])
        #expect(DocumentRules.emptyFolders(SourceFile("Sources/Common/A.swift", "")).count == 1)
    }

    @Test func visibleDeclarationsNeedDocumentation() {
        let source = swift(
            """
            /// Documented.
            package protocol A {
                var b: Int { get }
            }
            package struct C: A, Hashable {
                package let b: Int
                package let d, count: Int
                private let e: Int
                package init(b: Int, e: Int) {}
                package init(f: Int) {}
                package static func == (g: C, h: C) -> Bool { true }
                /// Documented.
                @inlinable
                package func i() { let j = 1 }
                public func k() {}
                package func i(m: Int) {}
            }
            /// Documented.
            package struct N {
                package let o: Int
                package var p: Int { 1 }
            }
            extension C: Sequence {
                package func makeIterator() {}
            }
            extension A {
                package var b: Int { 0 }
                package var l: Int { 0 }
            }
            """)
        let rule = DocumentationRule(protocolsOf: [source])
        #expect(lines(rule.findings(source)) == [5, 7, 10, 15, 21, 28])
    }

    @Test func importsAgainstTheGraphAreFound() {
        func findings(_ path: String, _ module: String) -> [Finding] {
            ImportRule.findings(swift("package import \(module)\n// end\nlet a = 1", at: path))
        }
        #expect(findings("Sources/Shared/RPC/A.swift", "Base").isEmpty)
        #expect(findings("Sources/Shared/RPC/A.swift", "struct Foundation.Date").isEmpty)
        #expect(lines(findings("Sources/Shared/RPC/A.swift", "Messages")) == [1])
        #expect(findings("Tests/RPCTests/A.swift", "RPC").isEmpty)
        #expect(findings("Tests/RPCTests/A.swift", "Storage").count == 1)
        #expect(findings("Sources/DatasetService/A.swift", "TrainerService").count == 1)
        #expect(findings("Sources/Shared/Nowhere/A.swift", "Base").count == 1)
    }

    @Test func longFilesAndLinesAreFound() {
        let line = String(repeating: "ä", count: 100)
        #expect(TextRules.longLines(SourceFile("a.py", line)).isEmpty)
        #expect(lines(TextRules.longLines(SourceFile("a.py", "\n\(line)b"))) == [2])
        #expect(TextRules.longLines(SourceFile("a.md", line + "b")).isEmpty)
        let full = String(repeating: "\n", count: 600)
        #expect(TextRules.longFile(SourceFile("a.c", full)).isEmpty)
        #expect(TextRules.longFile(SourceFile("a.c", full + "\n")).count == 1)
        let large = String(repeating: "a", count: 256 * 1024 + 1)
        #expect(TextRules.largeFile(SourceFile("a.bin", large)).count == 1)
        #expect(TextRules.largeFile(SourceFile("Tests/Goldens/a", large)).isEmpty)
    }

    @Test func workWithoutAnIssueIsFound() {
        let word = "TO" + "DO"
        let file = SourceFile("a.py", "# \(word): later\n# \(word) (#12): later\nme\(word)s = 1")
        #expect(lines(TextRules.untrackedWork(file)) == [1])
    }

    @Test func leftoversAreFound() {
        let marker = String(repeating: "<", count: 7)
        #expect(lines(TextRules.mergeMarkers(SourceFile("a", "a\n\(marker) b"))) == [2])
        let folder = "/ro" + "ot"
        let paths = "\(folder)/a\n'\(folder)/b'\n$dir\(folder)/c\nx\(folder)/d"
        #expect(lines(TextRules.machinePaths(SourceFile("a.md", paths))) == [1, 2])
    }

    @Test func carelessScriptsAreFound() {
        let strict = "#!/usr/bin/env bash\n# What it does.\nset -euo pipefail\n"
        let rule = OtherLanguageRules.carelessScripts
        #expect(rule(SourceFile("a.sh", strict, isExecutable: true)).isEmpty)
        #expect(rule(SourceFile("a.sh", strict)).count == 1)
        #expect(rule(SourceFile("a", "#!/usr/bin/env bash\nls\n", isExecutable: true)).count == 1)
        #expect(rule(SourceFile("a.sh", "set -euo pipefail\n", isExecutable: true)).count == 1)
    }

    @Test func undocumentedProtosAreFound() {
        let text = """
            syntax = "proto3";
            // A message.
            message A {
              // A field.
              string b = 1;
              map<string, C> d = 2;  // Documented here.
              repeated int32 e = 3
                  [packed = true];
              reserved 4;
              oneof f {
                // In it.
                G g = 5;
              }
            }
            enum H { H_UNSPECIFIED = 0; }
            service I {
              // Has a body.
              rpc J(K) returns (L) {
                option idempotency_level = IDEMPOTENT;
              }
              rpc M(N) returns (O);
            }
            """
        let found = ProtoRules.undocumented(SourceFile("proto/fovea/a.proto", text))
        #expect(lines(found) == [7, 10, 15, 16, 21])
        #expect(ProtoRules.undocumented(SourceFile("proto/google/a.proto", text)).isEmpty)
    }

    @Test func strayMessagesAreFound() {
        let folder = "Sources/Shared/CMessages"
        let paths = [
            "proto/fovea/a.proto", "proto/fovea/b.proto", "\(folder)/fovea/a.pb-c.c",
            "\(folder)/include/fovea/c.pb-c.h", "\(folder)/google/protobuf/any.pb-c.c",
        ]
        let found = ProtoRules.strayMessages(paths).map(\.path)
        #expect(found == ["\(folder)/include/fovea/c.pb-c.h", "proto/fovea/b.proto"])
    }

    @Test func deadLinksAreFound() {
        let files = [
            SourceFile(
                "docs/a.md",
                """
                [up](../b.md#two-words) [folder](decisions) [web](https://example.org/x)
                [gone](c.md) `[code](d.md)`
                [heading](../b.md#three)
                ```
                [code](e.md)
                ```
                """),
            SourceFile("b.md", "# Two words\n"),
            SourceFile("docs/decisions/0001-a.md", ""),
        ]
        #expect(lines(DocumentRules.deadLinks(in: files)) == [2, 3])
    }

    @Test func incompleteDecisionsAreFound() {
        let files = [
            SourceFile("docs/decisions/README.md", "[one](0001-a.md)"),
            SourceFile("docs/decisions/0001-a.md", "## Context\n## Choice\n## Consequences"),
            SourceFile("docs/decisions/0003-b.md", "## Context\n## Choice\n"),
        ]
        let found = DocumentRules.decisions(in: files)
        #expect(found.count == 3 && found.allSatisfy { $0.path.hasSuffix("0003-b.md") })
    }

    @Test func ignorePatternsArePlain() {
        let file = SourceFile(".gitignore", "# a/b\n.build/\n*.pyc\nc/d\n!e\n")
        #expect(lines(DocumentRules.ignorePatterns(file)) == [4, 5])
    }
}
