//! Tests of the session: no network, no clock, no chance.

#[cfg(test)]
mod cuts;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod job;
#[cfg(test)]
mod pool_calls;
#[cfg(test)]
mod pool_chance;
#[cfg(test)]
mod pool_client;
#[cfg(test)]
mod pool_request;
#[cfg(test)]
mod pool_returns;
#[cfg(test)]
mod pool_waiting;
#[cfg(test)]
mod pool_worker;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod record;
#[cfg(test)]
mod run;
#[cfg(test)]
mod transfer;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod wishes;
#[cfg(test)]
mod world;
