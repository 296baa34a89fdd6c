// DeliveryChannels: the front's ways to the delivery workers, one per uid, opened when first needed and kept.
// On the front's event loop; nothing here waits.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "lib-net/event-loop.h"
#include "lib-service/worker-pool.h"
#include "lmtpd/delivery-job.h"
#include "lmtpd/front-message.h"
#include "lmtpd/message-buffer.h"

namespace culver {

class DeliveryChannels {
public:
    using Callback = std::function<void(const DeliveryAnswer&)>;

    // `ask`: sends a line to the dispatcher.
    DeliveryChannels(EventLoop& loop, std::function<Status(std::string_view)> ask);
    ~DeliveryChannels();

    // Hands the message to a worker of that identity. The callback comes exactly once, later; a worker that cannot be
    // had or that dies is an answer with ErrorCode::Unavailable. The message is shared by the jobs of one transaction.
    void deliver(const WorkerIdentity& identity, DeliveryJob job, std::shared_ptr<const MessageBuffer> message,
                 Callback callback);

    // The dispatcher's answers.
    void granted(const WorkerGrant& grant, UniqueFd fd);
    void refused(const WorkerRefusal& refusal);

    std::size_t pending() const;  // deliveries without an answer

private:
    struct Packet;
    struct Channel;

    void write(Channel& channel);
    void read(std::uint64_t id);
    void drop(std::uint64_t id, const std::string& why);
    void drop_idle();

    EventLoop& loop_;
    std::function<Status(std::string_view)> ask_;
    std::map<std::uint64_t, std::unique_ptr<Channel>> channels_;  // by request id
    std::uint64_t next_request_ = 1, next_job_ = 1;
    EventLoop::TimerId idle_timer_ = 0;
};

}  // namespace culver
