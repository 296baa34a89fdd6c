// passdb static: the same password and fields for everybody: `args = password=secret proxy=y host=%{...}`.
#include "lib-auth/driver-args.h"
#include "lib-auth/passdb/drivers.h"

namespace culver::passdb {

namespace {
class StaticPassDb final : public PassDb {
public:
    explicit StaticPassDb(std::vector<DriverArg> args) : args_(std::move(args)) {}

    Work work(const AuthRequest&) override { return Work::Cheap; }

    Result<PassDbReply> lookup(const AuthRequest& request) override {
        PassDbReply reply;
        reply.verdict = Verdict::Match;
        for (const DriverArg& arg : args_) {
            std::string value = TRY(expand_for_request(arg.value, request));
            if (arg.key == "password") {
                reply.has_password = true;
                reply.password = SecretString(value);
            } else {
                reply.fields.set(arg.key, value, arg.has_value);
            }
        }
        return reply;
    }

    std::string default_scheme() const override { return "PLAIN"; }

private:
    std::vector<DriverArg> args_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_static(const PassDbSettings& settings, const DriverContext&) {
    return std::make_unique<StaticPassDb>(parse_driver_args(settings.args));
}

}  // namespace culver::passdb
