import Base
import Foundation
import RPC

// One task, given as JSON in the first argument; prints one JSON object of figures.

do {
    guard CommandLine.arguments.count == 2 else {
        throw RPCError(.invalidArgument, "fovea-dataset-bench takes one task as JSON")
    }
    let task = try JSONDecoder().decode(BenchTask.self, from: Data(CommandLine.arguments[1].utf8))
    let figures = try await task.run()
    print(String(decoding: try JSONEncoder().encode(figures), as: UTF8.self))
} catch {
    FileHandle.standardError.write(Data("fovea-dataset-bench: \(error)\n".utf8))
    exit(1)
}
