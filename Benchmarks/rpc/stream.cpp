// The client of the RPC benchmark where h2load cannot serve: message streams, and a check that
// a server answers rightly before it is measured.
//
//     stream ADDRESS check
//     stream ADDRESS SECONDS MESSAGE_BYTES
//
// The second form reads a stream of that many bytes a message for that long, counts without
// decoding, and prints `MESSAGES SECONDS`. Exit code 1 if anything but the right answer comes.

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "fovea/testing/v1/echo.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;
using fovea::testing::v1::Echo;
using fovea::testing::v1::EchoRequest;
using fovea::testing::v1::EchoResponse;

int fail(const std::string& why) {
  std::fprintf(stderr, "stream: %s\n", why.c_str());
  return 1;
}

int check(const std::shared_ptr<grpc::Channel>& channel) {
  auto stub = Echo::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  EchoRequest request;
  EchoResponse response;
  request.set_payload(std::string(128, 'x'));
  request.set_sequence_number(7);
  grpc::Status status = stub->Unary(&context, request, &response);
  if (!status.ok()) return fail(status.error_message());
  if (response.payload() != request.payload() || response.sequence_number() != 7 ||
      response.request_count() != 1 || response.received_bytes() != 128) {
    return fail("a wrong answer: " + response.ShortDebugString());
  }
  return 0;
}

// Reads a stream without decoding its messages: the client must not be the bottleneck.
int read(const std::shared_ptr<grpc::Channel>& channel, double seconds, size_t bytes) {
  EchoRequest request;
  request.set_response_bytes(bytes);
  request.set_response_count(1 << 30);
  grpc::ClientContext context;
  grpc::internal::RpcMethod method(
      "/fovea.testing.v1.Echo/ServerStream", grpc::internal::RpcMethod::SERVER_STREAMING);
  std::unique_ptr<grpc::ClientReader<grpc::ByteBuffer>> reader(
      grpc::internal::ClientReaderFactory<grpc::ByteBuffer>::Create(
          channel.get(), method, &context, request));
  grpc::ByteBuffer buffer;
  // The first messages open the windows; they are not counted.
  for (int i = 0; i < 64; ++i) {
    if (!reader->Read(&buffer)) return fail(reader->Finish().error_message());
  }
  long messages = 0;
  Clock::time_point start = Clock::now();
  std::chrono::duration<double> passed{0};
  while (passed.count() < seconds) {
    if (!reader->Read(&buffer)) return fail(reader->Finish().error_message());
    if (buffer.Length() < bytes) return fail("a message is too short");
    ++messages;
    passed = Clock::now() - start;
  }
  std::printf("%ld %.6f\n", messages, passed.count());
  context.TryCancel();
  while (reader->Read(&buffer)) {
  }
  return reader->Finish().error_code() == grpc::StatusCode::CANCELLED ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return fail("usage: stream ADDRESS check | stream ADDRESS SECONDS BYTES");
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  auto channel =
      grpc::CreateCustomChannel(argv[1], grpc::InsecureChannelCredentials(), arguments);
  if (std::strcmp(argv[2], "check") == 0) return check(channel);
  return argc == 4 ? read(channel, std::atof(argv[2]), std::atol(argv[3])) : 1;
}
