#!/bin/sh
# Runs the examples, but not the demo. Each checks itself. Run after `make build'.
set -eux
sh "$(dirname "$0")/need.sh" elixir:elixir
cd "$(dirname "$0")/../examples"
escript chat/chat.escript
escript cluster/cluster.escript
escript pre_key_server/pre_key_server.escript
escript fan_out/fan_out.escript
cd .. && mix run examples/conversation/conversation.exs
