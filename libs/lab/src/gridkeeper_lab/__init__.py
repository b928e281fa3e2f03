"""All machines together in memory: backtest, comparison and simulator."""
