[
  inputs: [
    "*.exs",
    ".formatter.exs",
    "elixir/**/*.ex",
    "{erlang,examples,guides,tests}/**/*.exs",
    "tests/**/*.ex"
  ],
  line_length: 100,
  locals_without_parens: [operation: 1]
]
