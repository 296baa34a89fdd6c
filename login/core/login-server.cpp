#include "login/core/login-server.h"

#include <fmt/format.h>

#include <utility>

#include "lib-base/log.h"
#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver {
namespace {

constexpr std::chrono::milliseconds kBuryDelay{200};
constexpr std::chrono::milliseconds kProxyPatience{3000};
constexpr std::chrono::milliseconds kAuthPatience{10000};
constexpr std::chrono::milliseconds kRest{1000};
constexpr std::chrono::seconds kSummaryTime{10};  // between lines about clients that were sent away
constexpr int kAcceptsPerTurn = 64;

// 16 characters that nobody can guess; random bytes are fetched for many at a time.
std::string new_session_id() {
    constexpr std::size_t kBytes = 12;
    static std::string pool;
    if (pool.size() < kBytes) pool = random_bytes(kBytes * 100);
    std::string id = base64_encode(std::string_view(pool).substr(pool.size() - kBytes));
    pool.resize(pool.size() - kBytes);
    return id;
}

}  // namespace

LoginServer::LoginServer(Service& service, std::string protocol, std::string refusal, MakeClient make_client)
    : service_(service),
      protocol_(std::move(protocol)),
      make_client_(std::move(make_client)),
      tls_(protocol_),
      refused_(std::move(refusal)) {
    on_reload();
    auth_ = std::make_unique<AuthClient>(loop(), service_.socket_path("login/login"),
                                         [this](bool up) { on_auth_state(up); });
    handover_ = std::make_unique<HandoverClient>(loop(), service_.socket_path("login/" + protocol_));
    service_.watch_listeners([this](InheritedListener& listener) { accept(listener); });
    service_.on_reload([this] { on_reload(); });
    service_.on_stop([this] { on_stop(); });
    service_.on_retire([this] { on_retire(); });
}

LoginServer::~LoginServer() = default;

void LoginServer::on_reload() {
    base_settings_ = LoginSettings::from(service_.settings());
    source_addresses_ = SourceAddresses::from(service_.settings()->string("login_source_ips"));
    tls_.clear();
    const ServiceSettings* own = service_.settings()->find_service(service_.name());
    const auto or_default = [&](std::uint32_t value, const char* name) {
        return value ? value : service_.settings()->number(name);
    };
    // A process here takes what Dovecot spreads over process_limit processes.
    connection_limit_ = own ? or_default(own->client_limit, "default_client_limit") *
                                  or_default(own->process_limit, "default_process_limit")
                            : 100'000;
    // What is wrong with the certificate is said now, and not to the first client only.
    if (base_settings_.tls == TlsPolicy::No) return;
    if (auto context = tls_.find(base_settings_.view); !context && base_settings_.view->is_set("ssl_cert"))
        log_error("Failed to initialize SSL server context: " + context.error().detail);
}

void LoginServer::accept(InheritedListener& listener) {
    bury();
    if (stopping_) return;
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
        auto accepted = accept_connection(listener.fd.get());
        if (!accepted) {
            if (accepted.error().code != ErrorCode::Unavailable) rest(accepted.error().detail);
            return;
        }
        if (!accepted->local || !accepted->remote) continue;
        Arrival arrival;
        arrival.fd = std::move(accepted->fd);
        arrival.local = *accepted->local;
        arrival.remote = *accepted->remote;
        arrival.local_port = accepted->local_port;
        arrival.remote_port = accepted->remote_port;
        arrival.tls = listener.ssl ? Arrival::Tls::AtOnce : Arrival::Tls::No;
        arrival.accepted = std::chrono::steady_clock::now();
        arrival.session = new_session_id();
        admit(std::move(arrival));
    }
}

// Out of descriptors or memory: whoever waits at the door goes on waiting there, and the log is not flooded.
void LoginServer::rest(const std::string& why) {
    log_error(why + "; no new connections for a second");
    service_.pause_listeners(true);
    loop().after(kRest, [this] { service_.pause_listeners(false); });
}

void LoginServer::admit(Arrival arrival) {
    if (clients_.size() + relays_.size() >= connection_limit_) {
        note_sent_away(beyond_limit_, arrival.remote);
        return;
    }
    const IpAddress remote = arrival.remote;
    const auto now = std::chrono::steady_clock::now();
    LoginSettings settings = settings_for(arrival);
    const auto source = arrival.local == remote || settings.is_trusted(remote) ? ConnectionLimits::Source::Trusted
                                                                               : ConnectionLimits::Source::Stranger;
    if (limits_.refuses(remote, source, now)) return refuse(std::move(arrival));
    auto owned = make_client_(*this, std::move(arrival), std::move(settings));
    LoginClient& client = *owned;
    clients_[&client] = std::move(owned);
    if (LoginClient* victim = limits_.add(client, remote, source, now)) send_away(*victim);
    if (!clients_.contains(&client)) return;
    client.begin();
    if (!auth_->is_connected() && !std::exchange(auth_timer_runs_, true)) {
        loop().after(kAuthPatience, [this] {
            auth_timer_runs_ = false;
            if (auth_ && !auth_->is_connected()) on_auth_state(false);
        });
    }
}

void LoginServer::refuse(Arrival arrival) {
    note_sent_away(sent_away_, arrival.remote);
    const auto manner = arrival.tls == Arrival::Tls::No ? SlowRefusal::Manner::WithWords : SlowRefusal::Manner::Silent;
    refused_.add(std::move(arrival.fd), manner, std::chrono::steady_clock::now());
    close_refused();
}

void LoginServer::close_refused() {
    const auto now = std::chrono::steady_clock::now();
    refused_.close_due(now);
    const auto next = refused_.next();
    if (!next || std::exchange(refusal_timer_runs_, true)) return;
    loop().after(std::chrono::ceil<std::chrono::milliseconds>(*next - now), [this] {
        refusal_timer_runs_ = false;
        close_refused();
    });
}

void LoginServer::send_away(LoginClient& client) {
    const bool has_line = note_sent_away(sent_away_, client.remote());
    client.on_too_many(has_line ? LoginClient::Mention::InLog : LoginClient::Mention::No);
    limits_.remove(client);
}

bool LoginServer::note_sent_away(SentAway& counter, const IpAddress& remote) {
    if (!std::exchange(summary_timer_runs_, true)) loop().after(kSummaryTime, [this] { log_sent_away(); });
    return counter.note(remote);
}

// One line for many: a flood of connections must not become one of lines.
void LoginServer::log_sent_away() {
    summary_timer_runs_ = false;
    if (!beyond_limit_.empty())
        log_warning(fmt::format("service({}): client_limit reached ({} connections); sent away in {} secs: {}",
                                service_.name(), connection_limit_, kSummaryTime.count(), beyond_limit_.take()));
    if (!sent_away_.empty())
        log_warning(fmt::format(
            "Too many connections wait for a login (login-limit); sent away in {} secs: {}; ban those who guess "
            "passwords, and put the address of a webmail or a proxy into login_trusted_networks",
            kSummaryTime.count(), sent_away_.take()));
}

void LoginServer::poke_soon(LoginClient& client) {
    loop().post([this, pointer = &client] {
        if (clients_.contains(pointer)) pointer->poke();
    });
}

void LoginServer::begin_again(LoginClient& former, Arrival arrival) {
    LoginSettings settings = settings_for(arrival);
    auto owned = make_client_(*this, std::move(arrival), std::move(settings));
    LoginClient& client = *owned;
    clients_[&client] = std::move(owned);
    limits_.replace(former, client);
    retire(former);
    client.begin();
}

LoginSettings LoginServer::settings_for(const Arrival& arrival) {
    SettingFilter filter;
    filter.protocol = protocol_;
    filter.local = arrival.real_local();
    filter.remote = arrival.real_remote();
    auto view = base_settings_.view->for_filter(filter);
    return view == base_settings_.view ? base_settings_ : LoginSettings::from(std::move(view));
}

void LoginServer::retire(LoginClient& client) {
    limits_.remove(client);
    auto it = clients_.find(&client);
    if (it == clients_.end()) return;
    dead_clients_.push_back(std::move(it->second));
    clients_.erase(it);
    if (!bury_soon_) {
        bury_soon_ = true;
        loop().after(kBuryDelay, [this] {
            bury_soon_ = false;
            bury();
        });
    }
    stop_when_empty();
}

void LoginServer::add_relay(std::unique_ptr<Relay> relay, std::string_view to_client, std::string_view to_server) {
    Relay& reference = *relay;
    relays_[&reference] = std::move(relay);
    reference.start(to_client, to_server);
}

void LoginServer::retire_relay(Relay& relay) {
    auto it = relays_.find(&relay);
    if (it == relays_.end()) return;
    dead_relays_.push_back(std::move(it->second));
    relays_.erase(it);
    if (!bury_soon_) {
        bury_soon_ = true;
        loop().after(kBuryDelay, [this] {
            bury_soon_ = false;
            bury();
        });
    }
    stop_when_empty();
}

// Objects are not destroyed inside their own calls: here none of them is on the stack.
void LoginServer::bury() {
    dead_clients_.clear();
    dead_relays_.clear();
}

void LoginServer::on_auth_state(bool connected) {
    std::vector<LoginClient*> all;
    for (auto& [client, owned] : clients_) all.push_back(client);
    for (LoginClient* client : all) {
        if (!clients_.contains(client)) continue;
        connected ? client->on_auth_ready() : client->on_auth_broken();
    }
}

void LoginServer::on_stop() {
    stopping_ = true;
    log_sent_away();
    refused_.close_all();
    std::vector<LoginClient*> all;
    for (auto& [client, owned] : clients_) all.push_back(client);
    for (LoginClient* client : all)
        if (clients_.contains(client)) client->on_shutdown();
    // Nobody is left who could ask authd; its end is no news now.
    loop().post([this] { auth_.reset(); });
    std::vector<Relay*> elsewhere;
    for (auto& [relay, owned] : relays_)
        if (relay->is_to_backend()) elsewhere.push_back(relay);
    for (Relay* relay : elsewhere) relay->close();
    // The others end when the mail process closes them; not for ever.
    loop().after(kProxyPatience, [this] { loop().stop(); });
    stop_when_empty();
}

// Another process takes the new clients; those that are here stay as long as they like.
void LoginServer::on_retire() {
    retiring_ = true;
    stop_when_empty();
}

void LoginServer::stop_when_empty() {
    if ((stopping_ || retiring_) && clients_.empty() && relays_.empty()) loop().stop();
}

}  // namespace culver
