// The peer of the RPC benchmark: fovea.testing.v1.Echo on C++ gRPC's fastest interface, the
// asynchronous one with a single completion queue and a single thread.
//
//     peer ADDRESS...      addresses as gRPC writes them: 127.0.0.1:0, unix:/path
//
// Prints `listening ADDRESS` for each listener, and serves until it is killed.

#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "fovea/testing/v1/echo.grpc.pb.h"

namespace {

using fovea::testing::v1::Echo;
using fovea::testing::v1::EchoRequest;
using fovea::testing::v1::EchoResponse;
using Service =
    Echo::WithAsyncMethod_Unary<Echo::WithAsyncMethod_ServerStream<Echo::Service>>;

// Calls of each kind that wait for a client, so that a burst finds one ready.
constexpr int kWaitingCalls = 512;

void fill(const EchoRequest& request, EchoResponse* response) {
  if (request.has_response_bytes()) {
    std::string payload(request.response_bytes(), '\0');
    for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i % 251);
    response->set_payload(std::move(payload));
  } else {
    response->set_payload(request.payload());
  }
  response->set_sequence_number(request.sequence_number());
  response->set_request_count(1);
  response->set_received_bytes(request.payload().size());
}

// One call. The completion queue returns it once for each operation that ended.
class Call {
 public:
  virtual ~Call() = default;
  virtual void advance(bool succeeded) = 0;
};

class UnaryCall final : public Call {
 public:
  UnaryCall(Service* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue), responder_(&context_) {
    service_->RequestUnary(&context_, &request_, &responder_, queue_, queue_, this);
  }

  void advance(bool succeeded) override {
    if (!succeeded || has_answered_) {
      delete this;
      return;
    }
    new UnaryCall(service_, queue_);
    has_answered_ = true;
    fill(request_, &response_);
    responder_.Finish(response_, grpc::Status::OK, this);
  }

 private:
  Service* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::ServerContext context_;
  EchoRequest request_;
  EchoResponse response_;
  grpc::ServerAsyncResponseWriter<EchoResponse> responder_;
  bool has_answered_ = false;
};

class StreamCall final : public Call {
 public:
  StreamCall(Service* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue), writer_(&context_) {
    service_->RequestServerStream(&context_, &request_, &writer_, queue_, queue_, this);
  }

  void advance(bool succeeded) override {
    if (!succeeded || has_finished_) {
      delete this;
      return;
    }
    if (sent_ == 0) {
      new StreamCall(service_, queue_);
      fill(request_, &response_);
      count_ = request_.has_response_count() ? request_.response_count() : 1;
    }
    if (sent_ < count_) {
      response_.set_response_index(sent_++);
      writer_.Write(response_, this);
    } else {
      has_finished_ = true;
      writer_.Finish(grpc::Status::OK, this);
    }
  }

 private:
  Service* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::ServerContext context_;
  EchoRequest request_;
  EchoResponse response_;
  grpc::ServerAsyncWriter<EchoResponse> writer_;
  uint32_t sent_ = 0, count_ = 1;
  bool has_finished_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  Service service;
  grpc::ServerBuilder builder;
  std::vector<std::string> addresses(argv + 1, argv + argc);
  std::vector<int> ports(addresses.size());
  for (size_t i = 0; i < addresses.size(); ++i) {
    builder.AddListeningPort(addresses[i], grpc::InsecureServerCredentials(), &ports[i]);
  }
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(-1);
  std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  for (int i = 0; i < kWaitingCalls; ++i) {
    new UnaryCall(&service, queue.get());
    if (i < 16) new StreamCall(&service, queue.get());
  }
  for (size_t i = 0; i < addresses.size(); ++i) {
    bool is_unix = addresses[i].rfind("unix:", 0) == 0;
    std::string host = addresses[i].substr(0, addresses[i].rfind(':'));
    std::string shown = is_unix ? addresses[i] : "tcp:" + host + ":" + std::to_string(ports[i]);
    std::printf("listening %s\n", shown.c_str());
  }
  std::fflush(stdout);
  void* tag;
  bool succeeded;
  while (queue->Next(&tag, &succeeded)) static_cast<Call*>(tag)->advance(succeeded);
}
