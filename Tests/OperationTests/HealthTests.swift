import Base
import Messages
import RPC
import Testing

@testable import Operation

struct HealthTests {
    private static let name = "fovea.sample.v1.Sample"

    private func request(_ service: String) -> Health.HealthCheckRequest {
        var request = Health.HealthCheckRequest()
        request.service = service
        return request
    }

    private func serve(_ board: HealthBoard, _ authenticator: TokenAuthenticator? = nil) throws
        -> (server: Server, client: Client)
    {
        var router = Router()
        router.declare(service: Datasets.name, methods: Datasets.methods)
        router.registerHealth(board)
        router.registerReflection()
        let server = Server(router: router, authenticator: authenticator)
        return (server, try server.connectInProcess())
    }

    @Test func checkAndListTellTheState() async throws {
        let board = HealthBoard(services: [Self.name])
        let (server, client) = try serve(board)
        let before = try await client.call(Health.Service.check, request(""))
        #expect(before.status == .notServing)
        board.setAll(.serving)
        let after = try await client.call(Health.Service.check, request(Self.name))
        #expect(after.status == .serving)
        let error = await #expect(throws: RPCError.self) {
            try await client.call(Health.Service.check, request("other"))
        }
        #expect(error?.code == .notFound)
        let list = try await client.call(Health.Service.list, Health.HealthListRequest())
        #expect(list.statuses.mapValues(\.status) == ["": .serving, Self.name: .serving])
        await client.close()
        await server.drain(graceSeconds: 0)
    }

    @Test func watchersHearEachChangeAndTheEnd() async throws {
        let board = HealthBoard(services: [Self.name])
        let (server, client) = try serve(board)
        let responses = try await client.call(Health.Service.watch, request(Self.name))
        let iterator = responses.makeAsyncIterator()
        #expect(try await iterator.next()?.status == .notServing)
        board.setAll(.serving)
        #expect(try await iterator.next()?.status == .serving)
        board.shutDown()
        #expect(try await iterator.next()?.status == .notServing)
        let error = await #expect(throws: RPCError.self) { try await iterator.next() }
        #expect(error?.code == .unavailable)
        await client.close()
        await server.drain(graceSeconds: 0)
    }

    @Test func anUnknownServiceCanBeWatched() async throws {
        let board = HealthBoard(services: [])
        var states = try #require(board.watch("other")).makeAsyncIterator()
        #expect(await states.next() == .unknownService)
        board.shutDown()
        #expect(await states.next() == .unknownService)
        #expect(await states.next() == nil)
        var late = try #require(board.watch("")).makeAsyncIterator()
        #expect(await late.next() == .notServing)
        #expect(await late.next() == nil)
    }

    @Test func watchersAreLimitedAndGoAway() {
        let board = HealthBoard(services: [])
        var streams = (0..<HealthBoard.watchersMax).compactMap { _ in board.watch("") }
        #expect(streams.count == HealthBoard.watchersMax)
        #expect(board.watch("") == nil)
        streams.removeLast()
        #expect(board.watch("") != nil)
    }

    @Test func healthNeedsNoToken() async throws {
        let board = HealthBoard(services: [])
        board.setAll(.serving)
        let (server, client) = try serve(board, TokenAuthenticator(try TokenFile(parsing: "")))
        #expect(try await client.call(Health.Service.check, request("")).status == .serving)
        await client.close()
        await server.drain(graceSeconds: 0)
    }
}

struct ReflectionTests {
    private let reflection = Reflection(
        descriptors: .shared, services: [Datasets.name, Health.Service.name])

    private func answer(_ question: ReflectionV1.ServerReflectionRequest.MessageRequest?)
        -> ReflectionV1.ServerReflectionResponse.MessageResponse?
    {
        var request = ReflectionV1.ServerReflectionRequest()
        request.host = "h"
        request.messageRequest = question
        let response = reflection.answer(request)
        #expect(response.validHost == "h")
        #expect(response.originalRequest == request)
        return response.messageResponse
    }

    @Test func servicesAreListed() {
        guard case .listServicesResponse(let list)? = answer(.listServices("*")) else {
            Issue.record("no list")
            return
        }
        #expect(list.service.map(\.name) == [Datasets.name, Health.Service.name])
    }

    @Test func aSymbolGivesItsFileAndAllThatItNeeds() throws {
        for symbol in [Datasets.name, Datasets.name + ".CreateDataset"] {
            guard case .fileDescriptorResponse(let files)? = answer(.fileContainingSymbol(symbol))
            else {
                Issue.record("no file for \(symbol)")
                return
            }
            let file = try #require(Descriptors.shared.file(defining: symbol))
            #expect(files.fileDescriptorProto.first == file.bytes)
            #expect(files.fileDescriptorProto.count > 3)
        }
    }

    @Test func whatIsNotThereIsNotFound() {
        let questions: [ReflectionV1.ServerReflectionRequest.MessageRequest?] = [
            .fileByFilename("x.proto"), .fileContainingSymbol("x.Y"),
            .fileContainingExtension(ReflectionV1.ExtensionRequest()),
            .allExtensionNumbersOfType("x.Y"), nil,
        ]
        for question in questions {
            guard case .errorResponse(let error)? = answer(question) else {
                Issue.record("no error")
                continue
            }
            #expect(error.errorCode == (question == nil ? 3 : 5))
        }
    }

    @Test func bothVersionsAnswer() async throws {
        var router = Router()
        router.registerReflection()
        let server = Server(router: router)
        let client = try server.connectInProcess()
        let call = try await client.call(ReflectionV1Alpha.ServerReflection.serverReflectionInfo)
        var request = ReflectionV1Alpha.ServerReflectionRequest()
        request.messageRequest = .listServices("")
        try await call.requests.write(request)
        let iterator = call.responses.makeAsyncIterator()
        guard case .listServicesResponse(let list)? = try await iterator.next()?.messageResponse
        else {
            Issue.record("no list")
            return
        }
        #expect(list.service.count == 2)
        await client.close()
        await server.drain(graceSeconds: 0)
    }
}
