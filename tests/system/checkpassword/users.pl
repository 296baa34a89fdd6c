#!/usr/bin/perl
# Perl, all fields by EXTRA, home left out.
use strict;
open(my $in, "<&=3") or exit 111;
binmode $in;
local $/ = undef;
my ($user, $password) = split /\0/, <$in>;
my %users = (bob => "secret", 'carl@example.test' => "other");
if (($ENV{AUTHORIZED} // "") eq "1") {
    exit 3 unless exists $users{$user};
    $ENV{AUTHORIZED} = 2;
} else {
    exit 1 unless defined $users{$user} && $users{$user} eq $password;
}
$ENV{USER} = $user;
$ENV{userdb_home} = "/home/perl/$user";
$ENV{userdb_uid} = 1234;
$ENV{userdb_gid} = 1234;
$ENV{EXTRA} = "userdb_home userdb_uid userdb_gid";
delete $ENV{HOME};
exec @ARGV;
