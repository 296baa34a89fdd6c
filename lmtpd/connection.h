// Connection: one LMTP client of the front. Everything runs on the event loop; nothing here waits.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "lib-auth/auth-master-client.h"
#include "lib-base/unique-fd.h"
#include "lib-config/settings.h"
#include "lib-net/event-loop.h"
#include "lib-smtp/dialogue.h"
#include "lmtpd/client-stream.h"
#include "lmtpd/delivery-channels.h"
#include "lmtpd/transaction.h"

namespace culver {

// What all connections of the front share.
struct FrontContext {
    EventLoop& loop;
    AsyncAuthMasterClient& users;
    DeliveryChannels& channels;
    std::shared_ptr<const Settings> settings;              // replaced by a reload; a connection keeps its own
    std::shared_ptr<TlsContext> tls;                       // null: STARTTLS is not offered; replaced with the settings
    std::unordered_map<std::string, unsigned> deliveries;  // open transactions by user, for lmtp_user_concurrency_limit
};

class Connection final : public SmtpHandler, public std::enable_shared_from_this<Connection> {
public:
    // `on_end` is called once, from the loop, when the connection is over; the owner then lets it go.
    // With Tls::Now the handshake comes before the greeting (inet_listener { ssl = yes }).
    enum class Tls { Later, Now };
    Connection(FrontContext& front, UniqueFd fd, Tls tls, std::function<void()> on_end);
    ~Connection() override;
    // Greets; needs the shared_ptr to exist.
    void start();
    // The server stops: 421 now, or once the delivery under way has its answer.
    void shut_down();

private:
    void hello(std::string_view name) override;
    SmtpReply mail(MailCommand&& command) override;
    void recipient(RcptCommand&& command) override;
    void message_begin() override;
    void message_data(std::string_view bytes) override;
    void message_end(MessageOutcome outcome) override;
    void reset() override;
    void start_tls() override { tls_state_ = TlsState::Asked; }

    void looked_up(Recipient recipient, const std::string& username, Result<std::optional<UserRecord>> result);
    void lookup_timed_out(const std::string& shown);
    SmtpReply accept(Recipient recipient, UserRecord user);
    void deliver_to(std::size_t index);
    void delivered(std::size_t index, const DeliveryAnswer& answer);
    void finish();

    void on_ready(Ready ready);
    void receive();
    bool send_output();
    void flush();
    void begin_handshake();
    void handshake();
    void update_interest();
    void check_time();
    void end(const std::string& reason);
    void forget_users();

    FrontContext& front_;
    std::shared_ptr<const Settings> settings_;
    ClientStream stream_;
    std::function<void()> on_end_;
    SmtpDialogueOptions options_;
    SmtpDialogue dialogue_;
    ConnectionFacts facts_;
    std::string local_ip_, session_, peer_;
    std::string output_;  // what the socket did not take yet
    enum class TlsState { Clear, Asked, Handshake, Secured } tls_state_ = TlsState::Clear;
    Interest interest_ = Interest::Read;
    Interest wait_for_ = Interest::Write;  // what a write under TLS waits for
    bool watched_ = false, ended_ = false, shut_down_ = false;
    EventLoop::TimerId timer_ = 0, lookup_timer_ = 0;
    unsigned lookup_ = 0;  // the recipient's index whose lookup is under way; 0: none
    EventLoop::Clock::time_point last_heard_;
    unsigned transactions_ = 0;
    std::uint64_t transaction_id_ = 0;  // late answers for an older one are dropped
    Transaction transaction_;
};

}  // namespace culver
