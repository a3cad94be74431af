import Base
import Foundation
import Testing

@testable import Text

/// Small parts against what the usual libraries say; the values come from Tests/Goldens/text.
struct PeerGoldenTests {
    private static func values(_ name: String) throws -> JSONNode {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Goldens/text").path
        return try GoldenFolder.json(folder, name)
    }

    @Test func templatesRenderAsJinjaRendersThem() throws {
        let values = try Self.values("templates.json")
        let variables: [String: JinjaValue] = [
            "messages": Self.value(try #require(values["messages"])),
            "add_generation_prompt": .bool(true), "bos_token": .string("<s>"),
        ]
        for node in try #require(values["cases"]).elements {
            let source = try #require(node["template"]?.string)
            var parser = try JinjaParser(source)
            var renderer = JinjaRenderer(variables)
            try renderer.render(try parser.parse())
            let output = String(decoding: renderer.output, as: UTF8.self)
            #expect(output.isSame(as: node["output"]?.string), "\(source) gave \(output)")
        }
    }

    private static func value(_ node: JSONNode) -> JinjaValue {
        if node.isArray { return .list(JinjaList(node.elements.map(value))) }
        if node.isObject {
            return .object(
                JinjaObject(node.members.map { ($0.key.string ?? "", value($0.value)) }))
        }
        return .string(node.string ?? "")
    }

    @Test func bytesThatAreNoTextDecodeAlike() throws {
        let values = try Self.values("decode.json")
        for kind in ["piece", "level"] {
            let tokenizer = try Tokenizer(
                try TokenizerFile(root: #require(values["\(kind)_tokenizer"])).parts())
            for node in try #require(values["cases"]).elements {
                let ids = try #require(node["\(kind)_ids"]).ids
                let expected = node[kind == "piece" ? "pieces" : "level"]?.string
                #expect(tokenizer.decode(ids).isSame(as: expected), "\(kind) \(ids)")
                var stream = StreamDecoder(tokenizer)
                let pieces = ids.map { stream.push($0) }.joined() + stream.finish()
                #expect(pieces.isSame(as: expected), "\(kind) \(ids), streamed")
            }
        }
    }

    @Test func patternsSplitAlike() throws {
        let values = try Self.values("patterns.json")
        let texts = try #require(values["texts"]).elements.map { $0.string ?? "" }
        for node in try #require(values["cases"]).elements {
            let pattern = try Pattern(try #require(node["pattern"]?.string))
            let behavior = try #require(
                node["behavior"]?.string.flatMap(PreTokenizer.Behavior.init(rawValue:)))
            let isInverted = node["invert"]?.bool ?? false
            for (text, expected) in zip(texts, try #require(node["words"]).elements) {
                var scratch = MatchScratch()
                scratch.start(textBytes: text.utf8.count)
                var ranges = [0..<text.utf8.count]
                let bytes = Array(text.utf8)
                try pattern.split(bytes, &ranges, behavior, isInverted: isInverted, &scratch)
                let words = ranges.map { Array(bytes[$0]) }
                #expect(
                    words == expected.elements.map(\.stringBytes),
                    "\(node["pattern"]?.string ?? "") \(behavior) \(isInverted) on \(text)")
            }
        }
    }
}
