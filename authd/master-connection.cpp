#include "authd/master-connection.h"

#include <fmt/format.h>
#include <unistd.h>

#include "authd/auth-line.h"
#include "lib-auth/password-scheme.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::size_t kLineLimit = 64 * 1024;
constexpr std::string_view kNoLookups = "Configured passdbs don't support credentials lookups";

// False for a scheme that nobody knows, or data that is not what its encoding says.
bool is_decodable(const SecretString& stored) {
    return stored.empty() || decode_password(stored.reveal(), "PLAIN").has_value();
}
}  // namespace

struct MasterConnection::Lookup {
    std::uint32_t id = 0;
    AuthRequest auth;
    std::shared_ptr<const AuthEngine> engine;  // shared with the server: a reload must not pull it away under a lookup
    UserResult user;
    Credentials credentials;
    bool bad_name = false;
};

MasterConnection::MasterConnection(AuthServer& server, std::uint64_t number, UniqueFd fd, AuthProtocol protocol,
                                   UserDbRights rights)
    : server_(server), number_(number), protocol_(protocol), rights_(rights) {
    if (auto peer = peer_credentials(fd.get())) peer_pid_ = peer->pid;
    lines_ = std::make_unique<LineConnection>(
        server.loop(), std::move(fd), kLineLimit,
        LineConnection::Callbacks{[this](std::string_view line) { handle_line(line); },
                                  [this](LineConnection::End end, const std::string&) {
                                      if (end == LineConnection::End::TooLong)
                                          log_error(fmt::format("BUG: Auth master {} sent us more than {} bytes",
                                                                peer_pid_, kLineLimit));
                                      server_.connection_ended(number_);
                                  }});
    lines_->write(fmt::format("VERSION\t1\t1\nSPID\t{}\n", ::getpid()));
}

void MasterConnection::cut_off(const std::string& why) {
    log_error(fmt::format("BUG: Auth master client (pid {}) sent broken input: {}", peer_pid_, why));
    lines_->close();
    server_.connection_ended(number_);
}

void MasterConnection::handle_line(std::string_view line) {
    std::string_view command = line.substr(0, line.find('\t'));
    if (command == "VERSION") {
        auto fields = split(line, '\t');
        if (fields.size() < 2 || fields[1] != "1")
            cut_off("not compatible with this server: another VERSION of the protocol");
        return;
    }
    if (command == "USER") return handle_user(line);
    if (command == "PASS") return handle_pass(line);
    if (command == "LIST") return handle_list(line);
    if (protocol_ == AuthProtocol::Master) {
        if (command == "REQUEST") return handle_request(line);
        if (command == "CPID") return;
        if (command == "PENALTY-LIST" || command == "PENALTY-CLEAR") return handle_penalty(line);
        if (command == "CACHE-FLUSH") {
            auto fields = split(line, '\t');
            auto id = fields.size() > 1 ? parse_uint32(fields[1]) : std::nullopt;
            if (!id) return cut_off("CACHE-FLUSH without an id");
            std::vector<std::string> users;
            for (std::size_t i = 2; i < fields.size(); ++i) users.push_back(tab_unescape(fields[i]));
            return lines_->write(fmt::format("OK\t{}\t{}\n", *id, server_.engine()->flush_cache(users)));
        }
    }
    cut_off(fmt::format("unknown command: {}", command.substr(0, 80)));
}

// "COMMAND id user fields...": null if the peer was cut off. A name that the rules refuse is an unknown user.
MasterConnection::LookupPtr MasterConnection::parse_lookup(std::string_view line) {
    auto fields = split(line, '\t');
    auto id = fields.size() > 2 ? parse_uint32(fields[1]) : std::nullopt;
    if (!id) {
        cut_off(fmt::format("{} with missing parameters", fields[0]));
        return nullptr;
    }
    auto lookup = std::make_shared<Lookup>();
    lookup->id = *id;
    for (std::size_t i = 3; i < fields.size(); ++i) {
        std::size_t equals = fields[i].find('=');
        set_request_field(lookup->auth, fields[i].substr(0, equals),
                          equals == std::string_view::npos ? std::string_view() : fields[i].substr(equals + 1));
    }
    if (lookup->auth.service.empty()) {
        cut_off(fmt::format("{} without service", fields[0]));
        return nullptr;
    }
    lookup->engine = server_.engine(lookup->auth.service);
    if (auto named = lookup->engine->set_user(lookup->auth, tab_unescape(fields[2])); !named) {
        if (lookup->engine->settings().verbose)
            log_info(fmt::format("userdb({}): {}", lookup->auth.log_identity(), named.error().detail));
        lookup->bad_name = true;
    }
    return lookup;
}

bool MasterConnection::may_see(const Lookup& lookup) const {
    if (rights_.everybody) return true;
    const AuthField* field = lookup.auth.userdb_fields.find("uid");
    // Without a field it will be mail_uid's mail.
    auto uid = resolve_uid(field ? field->value : lookup.engine->settings().mail_uid);
    return uid && *uid == fmt::format("{}", rights_.uid);
}

void MasterConnection::handle_user(std::string_view line) {
    LookupPtr lookup = parse_lookup(line);
    if (!lookup) return;
    if (lookup->bad_name) return lines_->write(fmt::format("NOTFOUND\t{}\n", lookup->id));
    auto done = [&server = server_, number = number_, lookup] {
        MasterConnection* self = server.master(number);
        if (!self) return;
        UserResult::Kind kind = lookup->user.kind;
        if (kind == UserResult::Kind::Found && !self->may_see(*lookup)) {
            log_error(fmt::format(
                "userdb({}): auth-userdb's permissions (0666) allow the peer's uid {} to see only its own "
                "users: give the socket an owner or another mode in service auth {{ unix_listener auth-userdb }}",
                lookup->auth.log_identity(), self->rights_.uid));
            kind = UserResult::Kind::InternalFailure;
        }
        std::string reply;
        if (kind == UserResult::Kind::Found) {
            reply = fmt::format("USER\t{}\t{}", lookup->id, tab_escape(lookup->auth.user));
            lookup->auth.userdb_fields.append_to(reply);
        } else {
            reply = fmt::format("{}\t{}", kind == UserResult::Kind::NotFound ? "NOTFOUND" : "FAIL", lookup->id);
        }
        self->write(reply + '\n');
    };
    look_up_user(lookup, done);
}

template <typename Walk, typename Answer>
void MasterConnection::walk_on(const LookupPtr& lookup, const std::shared_ptr<Walk>& walk,
                               std::function<void(Answer)> done) {
    if (auto answer = lookup->engine->advance(*walk, Work::Cheap)) return done(*answer);
    const Work work = AuthEngine::wanted_work(*walk);
    auto answer = std::make_shared<std::optional<Answer>>();
    JobOrigin origin{JobOrigin::Kind::Lookup, lookup->auth.remote_ip, lookup->auth.user, AuthEngine::lane(*walk)};
    bool accepted = server_.run(
        work, std::move(origin), [lookup, walk, work, answer] { *answer = lookup->engine->advance(*walk, work); },
        [&server = server_, number = number_, lookup, walk, answer, done = std::move(done)] {
            MasterConnection* self = server.master(number);
            if (!self) return;
            if (*answer) done(**answer);
            else self->walk_on(lookup, walk, done);
        },
        {});
    if (!accepted) lines_->write(fmt::format("FAIL\t{}\n", lookup->id));
}

void MasterConnection::look_up_user(const LookupPtr& lookup, std::function<void()> done) {
    walk_on<AuthEngine::UserWalk, UserResult>(lookup, lookup->engine->start_user_lookup(lookup->auth),
                                              [lookup, done = std::move(done)](UserResult result) {
                                                  lookup->user = std::move(result);
                                                  done();
                                              });
}

namespace {
std::string pass_reply(const auto& lookup) {
    const Credentials& credentials = lookup.credentials;
    std::string failure = fmt::format("FAIL\t{}", lookup.id);
    switch (credentials.result) {
        case AuthResult::Ok: {
            // Neither a password nor the word that there is none: the database is wrong.
            if (credentials.lacks_password) return failure;
            if (!is_decodable(credentials.password)) break;
            std::string reply = fmt::format("PASS\t{}", lookup.id);
            append_auth_field(reply, "user", lookup.auth.user);
            lookup.auth.fields.append_to(reply);
            return reply;
        }
        case AuthResult::UnknownUser:
        case AuthResult::Disabled:
        case AuthResult::Expired: return fmt::format("NOTFOUND\t{}", lookup.id);
        case AuthResult::NoCredentials: break;
        default:
            if (!credentials.unsupported) return failure;
            break;
    }
    append_auth_field(failure, "reason", kNoLookups);
    return failure;
}
}  // namespace

void MasterConnection::handle_pass(std::string_view line) {
    LookupPtr lookup = parse_lookup(line);
    if (!lookup) return;
    if (lookup->bad_name) return lines_->write(fmt::format("NOTFOUND\t{}\n", lookup->id));
    if (!rights_.everybody) {
        log_error(fmt::format("passdb({}): a peer with uid {} may not look up passdb entries",
                              lookup->auth.log_identity(), rights_.uid));
        return lines_->write(fmt::format("FAIL\t{}\n", lookup->id));
    }
    auto done = [&server = server_, number = number_, lookup] {
        if (MasterConnection* self = server.master(number)) self->write(pass_reply(*lookup) + '\n');
    };
    auto walk = lookup->engine->start_lookup(lookup->auth);
    walk_on<AuthEngine::Walk, AuthResult>(lookup, walk, [lookup, walk, done](AuthResult result) {
        lookup->credentials = AuthEngine::take_credentials(*walk, result);
        done();
    });
}

// The users of one database after the other: those of the first are on their way while the next one is asked.
struct MasterConnection::Listing {
    std::uint32_t id = 0;
    std::shared_ptr<const AuthEngine> engine;  // shared with the server, as a Lookup's
    std::string lines;
    std::vector<Status> results;  // of the databases asked so far
};

void MasterConnection::handle_list(std::string_view line) {
    auto fields = split(line, '\t');
    auto id = fields.size() > 1 ? parse_uint32(fields[1]) : std::nullopt;
    if (!id) return cut_off("LIST without an id");
    if (!rights_.everybody) {
        log_error(fmt::format("userdb list: a peer with uid {} may not list users", rights_.uid));
        return lines_->write(fmt::format("DONE\t{}\tfail\n", *id));
    }
    AuthRequest asked;
    for (std::string_view field : fields)
        if (field.starts_with("service=")) set_request_field(asked, "service", field.substr(8));
    auto listing = std::make_shared<Listing>();
    listing->id = *id;
    listing->engine = server_.engine(asked.service);
    list_on(listing);
}

void MasterConnection::list_on(const std::shared_ptr<Listing>& listing) {
    const std::size_t number = listing->results.size();
    if (number == listing->engine->userdb_count()) {
        Status status = AuthEngine::iteration_result(listing->results);
        if (!status) log_error(fmt::format("userdb list: {}", status.error().detail));
        return lines_->write(fmt::format("DONE\t{}\t{}\n", listing->id, status ? "" : "fail"));
    }
    JobOrigin origin;
    origin.lane = listing->engine->userdb_lane(number);
    bool accepted = server_.run(
        Work::Blocking, std::move(origin),
        [listing, number] {
            listing->results.push_back(listing->engine->iterate(number, [&](std::string_view user) {
                listing->lines += fmt::format("LIST\t{}\t{}\n", listing->id, tab_escape(user));
            }));
        },
        [&server = server_, connection = number_, listing] {
            MasterConnection* self = server.master(connection);
            if (!self) return;
            self->write(std::exchange(listing->lines, {}));
            self->list_on(listing);
        },
        {});
    if (!accepted) lines_->write(fmt::format("DONE\t{}\tfail\n", listing->id));
}

// PENALTY-LIST id: a line PENALTY id address level held distinct attempts forgotten (the times in milliseconds from
// now) for each penalised address, then DONE id. PENALTY-CLEAR id [address ...]: OK id count.
void MasterConnection::handle_penalty(std::string_view line) {
    auto fields = split(line, '\t');
    auto id = fields.size() > 1 ? parse_uint32(fields[1]) : std::nullopt;
    if (!id) return cut_off("PENALTY without an id");
    PenaltyBox& box = server_.penalties();
    if (fields[0] == "PENALTY-CLEAR") {
        std::size_t count = fields.size() == 2 ? box.clear() : 0;
        for (std::size_t i = 2; i < fields.size(); ++i) count += box.clear(tab_unescape(fields[i]));
        return lines_->write(fmt::format("OK\t{}\t{}\n", *id, count));
    }
    std::string out;
    for (const PenaltyBox::Entry& entry : box.list(EventLoop::Clock::now()))
        out += fmt::format("PENALTY\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", *id, entry.address, entry.level, entry.left.count(),
                           entry.distinct, entry.attempts, entry.forget.count());
    lines_->write(out + fmt::format("DONE\t{}\t\n", *id));
}

namespace {
std::string request_reply(const auto& lookup) {
    const AuthRequest& auth = lookup.auth;
    if (lookup.user.kind == UserResult::Kind::InternalFailure) return fmt::format("FAIL\t{}", lookup.id);
    if (lookup.user.kind == UserResult::Kind::NotFound) {
        log_error(
            fmt::format("{}({}): user not found from any userdbs", to_lower(auth.mechanism), auth.log_identity()));
        return fmt::format("NOTFOUND\t{}", lookup.id);
    }
    std::string reply = fmt::format("USER\t{}\t{}", lookup.id, tab_escape(auth.user));
    auth.userdb_fields.append_to(reply);
    if (!auth.master_user.empty()) append_auth_field(reply, "master_user", auth.master_user);
    append_auth_field(reply, "auth_mech", auth.mechanism);
    // Who proved himself, if that is not the name of the mailbox.
    if (!auth.master_user.empty()) append_auth_field(reply, "auth_user", auth.master_user);
    else if (auth.original_user != auth.user) append_auth_field(reply, "auth_user", auth.original_user);
    return reply;
}
}  // namespace

void MasterConnection::handle_request(std::string_view line) {
    auto fields = split(line, '\t');
    if (fields.size() < 5) return cut_off("REQUEST with missing parameters");
    auto id = parse_uint32(fields[1]), client_pid = parse_uint32(fields[2]), client_id = parse_uint32(fields[3]);
    if (!id || !client_pid || !client_id) return cut_off("REQUEST with invalid parameters");
    std::string cookie = tab_unescape(fields[4]);
    if (cookie.size() != 32 || !hex_decode(cookie)) return cut_off("Master sent broken REQUEST cookie");
    std::optional<std::uint32_t> session_pid;
    for (std::size_t i = 5; i < fields.size(); ++i)
        if (fields[i].starts_with("session_pid=")) session_pid = parse_uint32(fields[i].substr(12)).value_or(0);
    auto picked = server_.pick_up(*client_pid, *client_id, cookie, session_pid, peer_pid_);
    if (!picked.login) {
        log_error(picked.error);
        return lines_->write(fmt::format("FAIL\t{}\n", *id));
    }
    auto lookup = std::make_shared<Lookup>();
    lookup->id = *id;
    lookup->auth = std::move(picked.login->auth);
    lookup->auth.session_pid = session_pid;
    lookup->engine = picked.login->engine;
    look_up_user(lookup, [&server = server_, number = number_, lookup] {
        if (MasterConnection* self = server.master(number)) self->write(request_reply(*lookup) + '\n');
    });
}

}  // namespace culver
